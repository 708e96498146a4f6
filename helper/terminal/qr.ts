import encodeQR from 'qr'

/** A link as a QR code of half-height characters, dark on light whatever the terminal's colours are. */
export function qrText(link: string): string {
  const modules = encodeQR(link, 'raw', { ecc: 'low', border: 2 })
  const lines: string[] = []
  for (let row = 0; row < modules.length; row += 2) {
    let line = ''
    for (let column = 0; column < (modules[row]?.length ?? 0); column++) {
      const upper = modules[row]?.[column] === true
      const lower = modules[row + 1]?.[column] === true
      line += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' '
    }
    lines.push(`\u001b[30;107m${line}\u001b[0m`)
  }
  return lines.join('\n')
}
