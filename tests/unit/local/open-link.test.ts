import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLink, redirectPage, type OpeningPorts } from '../../../helper/browser-opening/index.ts'
import { systemRandom } from '../../../helper/ports/random.ts'
import { silentLogger } from '../../../mesh/base/index.ts'
import { until } from '../../kit/wait.ts'

let dir = ''
let timers: (() => void)[] = []

beforeEach(async () => {
  timers = []
  dir = await mkdtemp(join(tmpdir(), 'plexus-open-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function ports(rest: Partial<OpeningPorts> = {}): OpeningPorts & { readonly launched: (readonly string[])[] } {
  const launched: (readonly string[])[] = []
  return {
    clock: {
      now: () => 0,
      monotonic: () => 0,
      schedule: (_delay, callback) => {
        timers.push(callback)
        return () => {}
      },
    },
    random: systemRandom,
    log: silentLogger,
    env: { DISPLAY: ':0' },
    platform: 'linux',
    launch(command, args) {
      launched.push([command, ...args])
      return Promise.resolve(true)
    },
    launched,
    ...rest,
  }
}

const LINK = { url: 'http://127.0.0.1:7539/#join=c2VjcmV0', expiresAt: 60_000 }

test('the secret is in a file of the data directory and on no command line', async () => {
  const given = ports()
  expect((await openLink(LINK, dir, given)).isOpening).toBe(true)
  const [command, file = ''] = given.launched[0] ?? []
  expect(command).toBe('xdg-open')
  expect(file.startsWith(dir)).toBe(true)
  expect(given.launched.flat().join(' ')).not.toContain('c2VjcmV0')
  expect(await readFile(file, 'utf8')).toContain('#join=c2VjcmV0')
})

test('the file is gone when the link expires, and at once when it was used', async () => {
  await openLink(LINK, dir, ports())
  timers[0]?.()
  await until(async () => (await readdir(dir)).length === 0, { what: 'the file to go' })
  const used = await openLink(LINK, dir, ports())
  await used.discard()
  expect(await readdir(dir)).toEqual([])
})

test('where there is no screen or no opener nothing is left behind', async () => {
  expect((await openLink(LINK, dir, ports({ env: {} }))).isOpening).toBe(false)
  expect((await openLink(LINK, dir, ports({ launch: () => Promise.resolve(false) }))).isOpening).toBe(false)
  expect(await readdir(dir)).toEqual([])
})

test('each system is given its own opener, none of them a shell', async () => {
  for (const [platform, command] of [
    ['darwin', 'open'],
    ['win32', 'rundll32'],
    ['linux', 'xdg-open'],
  ] as const) {
    const given = ports({ platform })
    await openLink(LINK, dir, given)
    expect(given.launched[0]?.[0]).toBe(command)
  }
})

test('a link cannot break out of the page that hands it on', () => {
  const page = redirectPage('http://x/"><script>alert(1)</script>&')
  expect(page).not.toContain('<script>')
  expect(page).toContain('content="0;url=http://x/&quot;>&lt;script>alert(1)&lt;/script>&amp;"')
})
