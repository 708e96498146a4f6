import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TlsPair } from '../../../helper/door/index.ts'
import { describeCertificate } from '../../../helper/trust/authority.ts'
import { openTrust, type Trust, type TrustOptions } from '../../../helper/trust/index.ts'
import { loadOwnCertificate } from '../../../helper/trust/own-certificate.ts'
import { silentLogger } from '../../../mesh/base/index.ts'
import { createVirtualClock, type VirtualClock } from '../../kit/clock.ts'
import { makeTempDir } from '../../kit/helper-process.ts'
import { createMemoryStore, type MemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { makeTestPair } from '../../kit/tls-pair.ts'

const DAY_MS = 86_400_000
let store: MemoryStore
let temp: Awaited<ReturnType<typeof makeTempDir>>
let clock: VirtualClock
let used: (TlsPair | undefined)[] = []
let addresses: string[] = []
const opened: Trust[] = []

beforeEach(async () => {
  temp = await makeTempDir()
  store = createMemoryStore()
  clock = createVirtualClock(Date.now())
  used = []
  addresses = ['192.168.7.7']
})
afterEach(async () => {
  for (const trust of opened.splice(0)) trust.stop()
  await temp.remove()
})

async function open(options: Partial<TrustOptions> = {}): Promise<Trust> {
  const trust = await openTrust({
    dir: join(temp.path, 'tls'),
    store,
    label: 'Plexus on Amber',
    clock,
    random: createSeededRandom('trust'),
    log: silentLogger,
    addresses: () => addresses,
    use: (pair) => used.push(pair),
    ...options,
  })
  opened.push(trust)
  return trust
}

const inForce = () => describeCertificate(used.at(-1)?.cert ?? '')

describe('an authority of the helper’s own', () => {
  test('is not there until it is made, and then kept for its user only', async () => {
    const trust = await open()
    expect(trust.state()).toEqual({ kind: 'off' })
    expect(used).toEqual([])
    const state = await trust.make()
    expect(state).toMatchObject({ kind: 'own-authority', fingerprint: expect.stringMatching(/^[0-9A-F:]{95}$/) })
    expect(inForce().names).toEqual(expect.arrayContaining(['192.168.7.7', 'plexus.local', '127.0.0.1']))
    const dir = join(temp.path, 'tls')
    if (process.platform !== 'win32') {
      expect((await stat(dir)).mode & 0o777).toBe(0o700)
      for (const name of await readdir(dir))
        expect([name, (await stat(join(dir, name))).mode & 0o777]).toEqual([name, 0o600])
    }
    const given = await readFile(state.kind === 'own-authority' ? state.file : '', 'utf8')
    expect(given).toContain('BEGIN CERTIFICATE')
    expect(given).not.toContain('PRIVATE')
    // the keys are in the store, which is sealed
    expect(await readdir(dir)).toEqual(['plexus-authority.crt'])
  })

  test('is the same after a restart, leaf included', async () => {
    const first = await (await open()).make()
    const leaf = used.at(-1)
    const again = await open()
    expect(again.state()).toEqual(first)
    expect(used.at(-1)).toEqual(leaf)
  })

  test('issues anew when addresses change, and not while they stay', async () => {
    const trust = await open()
    const state = await trust.make()
    await clock.advanceAsync(60_000)
    await trust.look()
    expect(used).toHaveLength(1)
    addresses = ['10.4.4.4', '203.0.113.5']
    await trust.look()
    expect(used).toHaveLength(2)
    expect(inForce().names).toContain('10.4.4.4')
    expect(inForce().names).not.toContain('192.168.7.7')
    // a public address would spoil the whole leaf
    expect(inForce().names).not.toContain('203.0.113.5')
    expect(trust.state()).toMatchObject({ fingerprint: (state as { fingerprint: string }).fingerprint })
  })

  test('issues anew when 30 days are left, and after a clock that was ahead', async () => {
    const trust = await open()
    await trust.make()
    clock.advance(365 * DAY_MS)
    await trust.look()
    expect(used).toHaveLength(1)
    clock.advance(2 * DAY_MS)
    await trust.look()
    expect(used).toHaveLength(2)
    expect(inForce().notAfter - clock.now()).toBeGreaterThan(390 * DAY_MS)
    const early = createVirtualClock(clock.now() - 500 * DAY_MS)
    await open({ clock: early })
    expect(inForce().notBefore).toBeLessThan(early.now())
  })

  test('is deleted with its key by one call, and TLS ends', async () => {
    const trust = await open()
    const before = await trust.make()
    expect(await trust.delete()).toBe(true)
    expect(used.at(-1)).toBeUndefined()
    expect(trust.state()).toEqual({ kind: 'off' })
    expect(await readdir(join(temp.path, 'tls'))).toEqual([])
    expect(await store.list('trust/')).toEqual([])
    expect(await trust.delete()).toBe(false)
    expect((await open()).state()).toEqual({ kind: 'off' })
    const after = await trust.make()
    expect(after).toMatchObject({ kind: 'own-authority' })
    expect((after as { fingerprint: string }).fingerprint).not.toBe((before as { fingerprint: string }).fingerprint)
  })

  test('that cannot be read any more is none', async () => {
    const trust = await open()
    await trust.make()
    await store.put('trust/authority', new TextEncoder().encode('rubbish'))
    expect((await open()).state()).toEqual({ kind: 'off' })
  })
})

describe('a certificate of the person’s own', () => {
  const write = async (pair: TlsPair): Promise<{ cert: string; key: string }> => {
    const files = { cert: join(temp.path, 'own.crt'), key: join(temp.path, 'own.key') }
    await writeFile(files.cert, pair.cert)
    await writeFile(files.key, pair.key)
    return files
  }

  test('takes the place of the authority, and its successor is taken when the files change', async () => {
    const files = await write(await makeTestPair('first', { names: ['Home.Example.org', '*.example.net'] }))
    const trust = await open({ own: files })
    expect(trust.state()).toEqual({ kind: 'own-certificate', names: ['home.example.org', '*.example.net'] })
    const next = await makeTestPair('second', { names: ['other.example.org'] })
    await write(next)
    await trust.look()
    expect(used.at(-1)).toEqual(next)
    expect(trust.state()).toEqual({ kind: 'own-certificate', names: ['other.example.org'] })
    // a half-written successor changes nothing
    await writeFile(files.cert, 'rubbish')
    await trust.look()
    expect(used.at(-1)).toEqual(next)
    expect(await trust.delete()).toBe(false)
    expect((await stat(files.key)).isFile()).toBe(true)
  })

  test('that cannot be used is refused with the file and the reason', async () => {
    const good = await makeTestPair()
    const other = await makeTestPair()
    const nowMs = Date.now()
    const files = await write(good)
    expect(await loadOwnCertificate(files, nowMs)).toMatchObject({ names: ['plexus.test'] })
    const refused = async (change: Partial<typeof files>, contents: Partial<TlsPair>): Promise<string> => {
      await write({ ...good, ...contents })
      const failure: unknown = await loadOwnCertificate({ ...files, ...change }, nowMs).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'config-invalid' })
      return String(failure)
    }
    expect(await refused({ cert: join(temp.path, 'nowhere') }, {})).toMatch(/nowhere cannot be read/)
    expect(await refused({ key: temp.path }, {})).toMatch(/cannot be read/)
    expect(await refused({}, { cert: 'rubbish' })).toMatch(/own\.crt is no certificate/)
    expect(await refused({}, { key: 'rubbish' })).toMatch(/own\.key is no private key/)
    expect(await refused({}, { key: other.key })).toMatch(/own\.key is not the key of .*own\.crt/)
    expect(await refused({}, await makeTestPair('x', { notAfter: nowMs - DAY_MS }))).toMatch(/ended on \d{4}-\d\d-\d\d/)
    expect(await refused({}, await makeTestPair('x', { names: [] }))).toMatch(/names no host/)
    expect(await refused({}, { cert: 'x'.repeat(300_000) })).toMatch(/larger than any certificate/)
    expect(await refused({}, { key: good.key.replace('PRIVATE', 'ENCRYPTED PRIVATE') })).toMatch(/passphrase/)
  })
})
