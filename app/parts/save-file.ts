const FORMATS = {
  markdown: { type: 'text/markdown;charset=utf-8', ending: 'md' },
  json: { type: 'application/json', ending: 'json' },
} as const

/** Hands a text to the person as a file; the name is made safe for every file system. */
export function saveFile(name: string, format: keyof typeof FORMATS, text: string): void {
  const { type, ending } = FORMATS[format]
  saveBlob(name, ending, new Blob([text], { type }))
}

/** The same for bytes. */
export function saveBlob(name: string, ending: string, blob: Blob): void {
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = `${fileName(name)}.${ending}`
  link.click()
  // the browser has taken hold of the file by the next turn
  setTimeout(() => {
    URL.revokeObjectURL(url)
  }, 0)
}

/** A name without what file systems forbid, at most 80 characters. */
export function fileName(name: string): string {
  const safe = name
    .replace(/[\p{Cc}\p{Cf}<>:"/\\|?*]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '')
    .slice(0, 80)
  return safe === '' ? 'plexus' : safe
}
