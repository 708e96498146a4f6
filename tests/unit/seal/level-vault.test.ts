import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyFile } from '../../../helper/data-dir/index.ts'
import { openLevelStore } from '../../../helper/ports/level-store.ts'
import { MeshError, type PlatformStore } from '../../../mesh/base/index.ts'
import { openVault, type LockedVault, type OpenVault } from '../../../mesh/seal/index.ts'
import { decodeKeySlots } from '../../../mesh/seal/key-slots.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { CHEAP } from '../../kit/vault.ts'

const random = createSeededRandom('level vault')
let root = ''
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-vault-'))
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

const freshDirectory = async (): Promise<string> => {
  const directory = join(root, String(count++))
  await mkdir(directory)
  return directory
}

interface Opened {
  readonly inner: PlatformStore
  readonly vault: OpenVault | LockedVault
}

const openIn = async (
  directory: string,
  faulty: (store: PlatformStore) => PlatformStore = (store) => store,
): Promise<Opened> => {
  const inner = faulty(await openLevelStore(join(directory, 'store')))
  const device = createKeyFile(join(directory, 'store.key'), random)
  const clock = createVirtualClock()
  const vault = await openVault({ inner, device, random, clock, cost: CHEAP, alone: (work) => work() })
  return { inner, vault }
}
const openVaultOf = ({ vault }: Opened): OpenVault => {
  if (vault.state !== 'open') throw new TypeError('locked')
  return vault
}

/** Every byte of every file below, as one text in which each byte is a character. */
async function bytesBelow(directory: string): Promise<string> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n')
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const MESSAGES = Array.from({ length: 300 }, (_, index) => `What I wrote, number ${String(index)}: the heron is back.`)

async function fillUnsealed(directory: string, deviceKey: Uint8Array, tidied: boolean): Promise<void> {
  const inner = await openLevelStore(join(directory, 'store'))
  await inner.put('identity/key', deviceKey)
  for (const [index, message] of MESSAGES.entries()) {
    await inner.append(`chats/log/${String(index % 7)}`, [text(message)])
    if (index % 10 === 0) await inner.put(`chats/draft/${String(index)}`, text(message))
    // what was overwritten or deleted lies in the files too
    if (index % 20 === 0) await inner.delete(`chats/draft/${String(index)}`)
  }
  if (tidied) await inner.scrub()
  await inner.close()
}

describe('the data directory of a helper', () => {
  test.each([
    ['as it was written', false],
    ['after LevelDB merged its files', true],
  ])('of an earlier version is sealed %s: no word and no key is left in its bytes', async (_how, tidied) => {
    const directory = await freshDirectory()
    const deviceKey = random.bytes(64)
    await fillUnsealed(directory, deviceKey, tidied)
    const before = await bytesBelow(directory)
    expect(before).toContain('the heron is back')
    expect(before).toContain(Buffer.from(deviceKey).toString('latin1'))

    const opened = await openIn(directory)
    const after = await bytesBelow(directory)
    expect(after).not.toContain('heron')
    expect(after).not.toContain('What I wrote')
    expect(after).not.toContain(Buffer.from(deviceKey.subarray(0, 16)).toString('latin1'))

    const { store } = openVaultOf(opened)
    expect(new Uint8Array((await store.get('identity/key')) ?? [])).toEqual(deviceKey)
    const logs = await Promise.all(
      Array.from({ length: 7 }, (_, index) => store.readLog(`chats/log/${String(index)}`, 0)),
    )
    const read = logs.flat().map((entry) => new TextDecoder().decode(entry.bytes))
    expect(new Set(read)).toEqual(new Set(MESSAGES))
    expect(read).toHaveLength(MESSAGES.length)
    await opened.inner.close()
  })

  test('keeps its key beside the store, for its user alone', async () => {
    const directory = await freshDirectory()
    await (await openIn(directory)).inner.close()
    expect((await stat(join(directory, 'store.key'))).mode & 0o777).toBe(0o600)
  })

  test('with a passphrase holds nothing that opens it: not the key of the device, nor what it opened', async () => {
    const directory = await freshDirectory()
    const first = await openIn(directory)
    const vault = openVaultOf(first)
    await vault.store.put('chats/chat/a', text('the heron is back'))
    const key = (await readFile(join(directory, 'store.key'), 'utf8')).trim()
    const slots = (await first.inner.get('vault/slots')) ?? new Uint8Array()
    // the box of the slot of the device: 60 bytes behind their CBOR head
    const box = Buffer.from(slots).toString('latin1').slice(-80, -20)
    expect(await bytesBelow(directory)).toContain(box)

    await vault.setPassphrase('a heron in the rain')
    await first.inner.close()
    const after = await bytesBelow(directory)
    for (const secret of [key, Buffer.from(key, 'base64url').toString('latin1'), box, 'heron']) {
      expect(after.includes(secret)).toBe(false)
    }
    const second = await openIn(directory)
    expect(second.vault.state).toBe('locked')
    if (second.vault.state !== 'locked') return
    const opened = await second.vault.unlock({ kind: 'passphrase', passphrase: 'a heron in the rain' })
    expect(new TextDecoder().decode(await opened.store.get('chats/chat/a'))).toBe('the heron is back')
    await opened.removeLocks()
    await second.inner.close()
    const third = await openIn(directory)
    expect(third.vault.state).toBe('open')
    await third.inner.close()
  })

  test('holds no passphrase that was replaced, also when the power went before its files were tidied', async () => {
    const directory = await freshDirectory()
    const first = await openIn(directory)
    await openVaultOf(first).setPassphrase('an old one that was seen')
    const slots = (await first.inner.get('vault/slots')) ?? new Uint8Array()
    const box = Buffer.from(decodeKeySlots(slots).slots[0]?.box ?? []).toString('latin1')
    await first.inner.close()
    const unlock = async (passphrase: string, opened: Opened): Promise<OpenVault> => {
      if (opened.vault.state !== 'locked') throw new TypeError('open')
      return opened.vault.unlock({ kind: 'passphrase', passphrase })
    }
    const cut = await openIn(directory, (inner) => ({
      ...inner,
      scrub: () => Promise.reject(new MeshError('storage-failed', 'The power went.')),
    }))
    const vault = await unlock('an old one that was seen', cut)
    await expect(vault.setPassphrase('a new one that is secret')).rejects.toMatchObject({ code: 'storage-failed' })
    await cut.inner.close()
    expect(await bytesBelow(directory)).toContain(box)
    const next = await openIn(directory)
    await next.inner.close()
    expect(await bytesBelow(directory)).not.toContain(box)
    await unlock('a new one that is secret', await openIn(directory)).then((opened) => opened.store.close())
  })

  test('says so when its key is damaged, and changes nothing', async () => {
    const directory = await freshDirectory()
    const first = await openIn(directory)
    await openVaultOf(first).store.put('key', text('value'))
    await first.inner.close()
    const file = join(directory, 'store.key')
    const key = await readFile(file, 'utf8')
    for (const damaged of ['', 'nonsense', `${'A'.repeat(43)}\n`]) {
      await writeFile(file, damaged)
      const inner = await openLevelStore(join(directory, 'store'))
      const device = createKeyFile(file, random)
      const ports = { inner, device, random, clock: createVirtualClock(), alone: <V>(work: () => Promise<V>) => work() }
      await expect(openVault(ports)).rejects.toMatchObject({ code: 'storage-corrupt' })
      await inner.close()
    }
    await writeFile(file, key)
    const again = await openIn(directory)
    expect(await openVaultOf(again).store.get('key')).toBeDefined()
    await again.inner.close()
  })
})
