import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyFile } from '../../helper/data-dir/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { openVault } from '../../mesh/seal/index.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import { makeTempDir, spawnHelper, startHelper } from '../kit/helper-process.ts'

const PASSPHRASE = 'a heron in the rain'
let temp: Awaited<ReturnType<typeof makeTempDir>>
let model = ''

beforeAll(async () => {
  temp = await makeTempDir()
  model = join(temp.path, 'tiny.gguf')
  await writeTinyGguf(model)
})
afterAll(() => temp.remove())

/** What lies in a data directory, but for the models, byte by byte. */
async function bytesOf(dataDir: string): Promise<string> {
  const found = await readdir(dataDir, { recursive: true, withFileTypes: true })
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = files.filter((file) => !file.includes('models')).map((file) => readFile(file, 'latin1'))
  return (await Promise.all(texts)).join('\n')
}

/** The key of the device, as its stopped helper has it sealed. */
async function deviceKeyOf(dataDir: string): Promise<Uint8Array> {
  const inner = await openLevelStore(join(dataDir, 'store'))
  const device = createKeyFile(join(dataDir, 'store.key'), systemRandom)
  const ports = {
    inner,
    device,
    random: systemRandom,
    clock: systemClock,
    alone: <V>(work: () => Promise<V>) => work(),
  }
  const vault = await openVault(ports)
  const { store } = vault.state === 'open' ? vault : await vault.unlock({ kind: 'passphrase', passphrase: PASSPHRASE })
  const key = (await store.get('identity/key')) ?? new Uint8Array()
  await inner.close()
  return key
}

test('a helper with a passphrase starts only with it, and its directory gives nothing away', async () => {
  const dataDir = join(temp.path, 'locked')
  const file = join(temp.path, 'passphrase')
  await writeFile(file, `${PASSPHRASE}\n`)
  const first = await startHelper({ model, dataDir })
  expect((await first.cli(['rename', first.ports.peerId, 'Zanzibar Heron'])).code).toBe(0)
  expect(await first.cli(['lock', '--json'])).toMatchObject({ code: 0, json: { locked: false } })
  const storeKeyFile = (await readFile(join(dataDir, 'store.key'), 'utf8')).trim()
  // nobody sits at a terminal here
  expect(await first.cli(['lock', 'set', '--json'])).toMatchObject({ code: 2, json: { error: { code: 'usage' } } })
  const set = await first.cli(['lock', 'set', '--passphrase-file', file, '--json'])
  expect(set).toMatchObject({ code: 0, json: { locked: true } })
  // a start in place asks nobody
  expect((await first.cli(['lan', 'on'])).code).toBe(0)
  expect((await first.cli(['lan', 'off'])).code).toBe(0)
  await first.stop()

  const key = Buffer.from(await deviceKeyOf(dataDir))
  expect(key.byteLength).toBeGreaterThan(32)
  const bytes = await bytesOf(dataDir)
  const secrets = ['Zanzibar', 'PRIVATE KEY', PASSPHRASE, storeKeyFile, key.toString('latin1')]
  const parts = [key.subarray(4, 36), Buffer.from(storeKeyFile, 'base64url')].map((part) => part.toString('latin1'))
  for (const secret of [...secrets, ...parts]) expect(bytes.includes(secret)).toBe(false)
  expect(await readdir(dataDir)).not.toContain('store.key')

  const refused = await (await spawnHelper(dataDir, { model })).ended
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('PLEXUS_PASSPHRASE_FILE') })
  await writeFile(join(temp.path, 'wrong'), 'a heron in the sun')
  const wrong = await (
    await spawnHelper(dataDir, { model, args: ['--passphrase-file', join(temp.path, 'wrong')] })
  ).ended
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('not the passphrase') })

  const second = await startHelper({ model, dataDir, env: { PLEXUS_PASSPHRASE_FILE: file } })
  expect(second.ports.peerId).toBe(first.ports.peerId)
  expect((await second.cli(['devices', '--json'])).json).toMatchObject([{ name: 'Zanzibar Heron' }])
  expect(second.output().stderr).not.toContain(PASSPHRASE)
  expect(await second.cli(['lock', 'remove', '--json'])).toMatchObject({ code: 0, json: { locked: false } })
  await second.stop()
  const third = await startHelper({ model, dataDir })
  expect(third.ports.peerId).toBe(first.ports.peerId)
  await third.stop()
})
