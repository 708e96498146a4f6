import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { readArchive, writeArchive } from '../../../helper/local/archive-file.ts'
import { systemClock } from '../../../helper/ports/clock.ts'
import { systemRandom as random } from '../../../helper/ports/random.ts'
import { MeshError } from '../../../mesh/base/index.ts'
import { createRecoverySecret, recoveryKeys, sealArchive } from '../../../mesh/seal/index.ts'
import { makeTempDir } from '../../kit/helper-process.ts'

const { signal } = new AbortController()
const lock = { kind: 'recovery', publicKey: recoveryKeys(createRecoverySecret(random)).seal.publicKey } as const
const archive = (size: number): AsyncIterable<Uint8Array> =>
  sealArchive([{ kind: 'x', body: new Uint8Array(size) }], lock, { random, clock: systemClock })
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})
async function place(): Promise<{ dir: string; file: string }> {
  const { path: dir, remove } = await makeTempDir()
  ends.push(remove)
  return { dir, file: join(dir, 'all.plexus') }
}

test('an archive lies there whole and for this user alone, and takes the place of an earlier one', async () => {
  const { dir, file } = await place()
  await writeArchive(file, archive(10), { random, signal })
  const sizeBytes = await writeArchive(file, archive(200_000), { random, signal })
  const { mode, size } = await stat(file)
  expect([mode & 0o777, size]).toEqual([0o600, sizeBytes])
  expect(await readdir(dir)).toEqual(['all.plexus'])
  const pieces: Uint8Array[] = []
  for await (const piece of readArchive(file, { signal })) pieces.push(piece)
  expect(Buffer.concat(pieces).equals(await readFile(file))).toBe(true)
})

test('an archive that was said to be written is there after a power cut: its directory is synced last', async () => {
  const { dir, file } = await place()
  const handle = await open(dir, 'r')
  const prototype = Object.getPrototypeOf(handle) as typeof handle
  await handle.close()
  const synced: string[] = []
  const whole = prototype.sync
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: typeof handle) {
    const isDirectory = (await this.stat()).isDirectory()
    // and it is renamed by then
    synced.push(isDirectory ? `directory with ${(await readdir(dir)).join()}` : 'file')
    await whole.call(this)
  })
  ends.push(() => {
    spy.mockRestore()
    return Promise.resolve()
  })
  await writeArchive(file, archive(10), { random, signal })
  expect(synced).toEqual(['file', 'directory with all.plexus'])
})

test('a file that is no archive is left as it is', async () => {
  const { dir, file } = await place()
  await writeFile(file, 'my diary')
  await expect(writeArchive(file, archive(10), { random, signal })).rejects.toMatchObject({ code: 'conflict' })
  expect(await readFile(file, 'utf8')).toBe('my diary')
  expect(await readdir(dir)).toEqual(['all.plexus'])
})

test('what breaks off leaves the earlier archive and nothing beside it', async () => {
  const { dir, file } = await place()
  await writeArchive(file, archive(10), { random, signal })
  const before = await readFile(file)
  async function* breaking(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(new Uint8Array(100))
    throw new MeshError('storage-corrupt', 'The disk gave nothing back.')
  }
  await expect(writeArchive(file, breaking(), { random, signal })).rejects.toMatchObject({ code: 'storage-corrupt' })
  expect((await readFile(file)).equals(before)).toBe(true)
  expect(await readdir(dir)).toEqual(['all.plexus'])
})

test('a place that is none ends in a sentence', async () => {
  const { dir } = await place()
  const file = join(dir, 'nowhere', 'all.plexus')
  await expect(writeArchive(file, archive(10), { random, signal })).rejects.toMatchObject({ code: 'storage-failed' })
  await expect(readArchive(file, { signal }).next()).rejects.toMatchObject({ code: 'storage-failed' })
})
