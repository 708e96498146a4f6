import { expect, test } from 'vitest'
import {
  createLogger,
  createProgressLine,
  formatBytes,
  formatDuration,
  formatTable,
  printable,
  qrText,
  type Output,
} from '../../../helper/terminal/index.ts'
import type { Clock } from '../../../mesh/base/index.ts'

function output(isTerminal: boolean): Output & { readonly text: () => string } {
  let written = ''
  return {
    isTerminal,
    columns: 100,
    write: (text) => {
      written += text
    },
    text: () => written,
  }
}

const SECRET_LINK = 'http://127.0.0.1:7539/#join=c2VjcmV0'

test('sizes and times are written for people', () => {
  expect([0, 999, 92_871_040, 4_500_000_000].map(formatBytes)).toEqual(['0 B', '999 B', '92.9 MB', '4.5 GB'])
  expect([0, 8_400, 200_000, 7_500_000].map(formatDuration)).toEqual(['0 s', '8 s', '3 min 20 s', '2 h 5 min'])
  expect(formatTable(['A', 'LONG'], [['xyz', '1']])).toBe('A    LONG\nxyz  1')
})

test('text from elsewhere cannot drive the terminal', () => {
  expect(printable('a\u001b[2Jb\u001b]52;c;x\u0007c\u009b31m\td\n')).toBe('a[2Jb]52;c;xc31m\td\n')
})

test('tokens, links and texts never reach the log, wherever they stand', () => {
  for (const isTerminal of [true, false]) {
    const out = output(isTerminal)
    const log = createLogger({ level: 'debug', output: out }).child('part')
    log.warn(`could not open ${SECRET_LINK}`, {
      token: 'hidden-1',
      nested: { authorization: 'Bearer hidden-2', list: [{ credential: 'hidden-3' }] },
      text: 'hidden-4',
      prompt: 'hidden-5',
      where: SECRET_LINK,
      error: new TypeError(`failed: ${SECRET_LINK}`),
      maxTokens: 512,
    })
    expect(out.text()).not.toMatch(/hidden-\d|c2VjcmV0/)
    expect(out.text()).toContain('http://127.0.0.1:7539/#…')
    expect(out.text()).toContain('512')
    expect(out.text()).toContain('part')
  }
})

test('a level keeps what is below it out of the log', () => {
  const out = output(false)
  const log = createLogger({ level: 'warn', output: out })
  log.info('not this')
  log.error('this')
  expect(out.text()).not.toContain('not this')
  expect(JSON.parse(out.text())).toMatchObject({ level: 'error', msg: 'this' })
})

test('progress without a terminal is a line each ten percent, on one a line that redraws itself', () => {
  let nowMs = 0
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, schedule: () => () => {} }
  const run = (isTerminal: boolean): string => {
    const out = output(isTerminal)
    nowMs = 0
    const line = createProgressLine(out, clock, 'Model')
    for (let received = 0; received <= 1_000_000; received += 1_000) {
      nowMs += 10
      line.update({ receivedBytes: received, totalBytes: 1_000_000 })
    }
    line.end()
    return out.text()
  }
  expect(run(false).trim().split('\n')).toHaveLength(11)
  expect(run(false)).toContain('Model: 50 %, 500 kB of 1.0 MB, 99.8 kB/s, 5 s left')
  const drawn = run(true)
  expect(drawn.split('\r').length).toBeGreaterThan(50)
  expect(drawn).toContain('█')
  expect(drawn.endsWith('\n')).toBe(true)
})

test('a QR code is square and made of half-height characters', () => {
  const rows = qrText(SECRET_LINK)
    .replace(/\u001b\[[\d;]*m/g, '')
    .split('\n')
  const width = rows[0]?.length ?? 0
  expect(rows.length).toBe(Math.ceil(width / 2))
  for (const row of rows) expect(row).toMatch(/^[ ▀▄█]+$/)
})
