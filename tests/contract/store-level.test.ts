import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import type { Store } from '../../mesh/base/index.ts'
import { bundle } from '../kit/bundle.ts'
import type { AfterFullDisk } from '../kit/full-disk-writer.ts'
import { runProcess } from '../kit/helper-process.ts'
import { storeContract } from './store.contract.ts'

let root = ''
let count = 0
const freshDirectory = (): string => join(root, `store-${String(count++)}`)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-level-'))
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

storeContract('of the helper (level)', () => {
  const directory = freshDirectory()
  let current: Store | undefined
  return Promise.resolve({
    async open() {
      await current?.close()
      current = await openLevelStore(directory)
      return current
    },
    async clear() {
      await current?.close()
      await rm(directory, { recursive: true, force: true })
    },
  })
})

/** Whether a small disk can be made here, apart from the computer's own. */
const canMount = spawnSync('unshare', ['-rm', 'true'], { stdio: 'ignore' }).status === 0

/** On a disk of 3 MB: written until it is full and on after room was made, killed, and looked at. */
const FULL_DISK = 'mount -t tmpfs -o size=3m tmpfs "$1" && { "$2" "$3" "$1" write; "$2" "$3" "$1" read; }'

describe('the store of the helper', () => {
  it.skipIf(!canMount)('keeps what it acknowledged after its disk was full for a while', async () => {
    const folder = join(freshDirectory(), 'disk')
    await mkdir(folder, { recursive: true })
    const program = fileURLToPath(await bundle('tests/kit/full-disk-writer.ts'))
    const told = await runProcess('unshare', ['-rm', 'sh', '-c', FULL_DISK, 'sh', folder, process.execPath, program])
    expect(told.stderr).not.toContain('Error')
    const { refusals, readWhileFull, acknowledged, lost } = JSON.parse(told.stdout) as AfterFullDisk
    expect(refusals).toEqual(['storage-full'])
    expect(readWhileFull).toBe(true)
    expect(acknowledged).toBeGreaterThanOrEqual(400)
    expect(lost).toEqual([])
  })

  it('lets nobody else read its files', async () => {
    const directory = freshDirectory()
    const store = await openLevelStore(directory)
    await store.put('key', new Uint8Array(1_000))
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    for (const name of await readdir(directory)) {
      expect((await stat(join(directory, name))).mode & 0o077, name).toBe(0)
    }
    await store.close()
  })

  it('says who is in the way when another has it open', async () => {
    const directory = freshDirectory()
    const store = await openLevelStore(directory)
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'data-dir-in-use' })
    await store.close()
    await (await openLevelStore(directory)).close()
  })

  it('says so when the place is a file, or what lies there was destroyed', async () => {
    const file = freshDirectory()
    await writeFile(file, 'something else')
    await expect(openLevelStore(file)).rejects.toMatchObject({ code: 'data-dir-unusable' })

    const damaged = freshDirectory()
    await mkdir(damaged)
    const store = await openLevelStore(damaged)
    await store.put('key', new Uint8Array(10))
    await store.close()
    await writeFile(join(damaged, 'CURRENT'), 'nonsense')
    await expect(openLevelStore(damaged)).rejects.toMatchObject({ code: 'storage-corrupt' })
  })

  it.each<[string, (file: string) => Promise<void>]>([
    ['overwritten', async (file) => writeFile(file, Buffer.alloc((await stat(file)).size, 0xff))],
    ['emptied', (file) => writeFile(file, '')],
    ['removed', (file) => rm(file)],
  ])('never begins anew without a word where its log was %s', async (_how, damage) => {
    const directory = freshDirectory()
    const store = await openLevelStore(directory)
    await store.put('identity', new Uint8Array(10))
    await store.close()
    for (const name of await readdir(directory)) if (name.endsWith('.log')) await damage(join(directory, name))
    // and not at the next try either
    for (let count = 0; count < 2; count++) {
      await expect(openLevelStore(directory)).rejects.toMatchObject({
        code: 'storage-corrupt',
        message: expect.stringContaining(directory) as string,
      })
    }
    expect(await readdir(directory)).not.toEqual([])
  })

  it.each([0, 8, 15])('numbers no entry by a key of which digit %i is none any more', async (digit) => {
    const directory = freshDirectory()
    const store = await openLevelStore(directory)
    await store.append('log', [new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([3])])
    await store.close()
    const level = new ClassicLevel<string, Uint8Array>(directory, { keyEncoding: 'utf8', valueEncoding: 'view' })
    const key = `l!log!${'2'.padStart(16, '0')}`
    const place = 'l!log!'.length + digit
    const wrong = String.fromCharCode(key.charCodeAt(place) ^ 64)
    await level.put(key.slice(0, place) + wrong + key.slice(place + 1), new Uint8Array([2]))
    await level.del(key)
    await level.close()
    const again = await openLevelStore(directory)
    expect(await again.append('log', [new Uint8Array([4]), new Uint8Array([5])])).toBe(5)
    const read = await again.readLog('log', 0)
    expect(read.map(({ sequence, bytes }) => [sequence, bytes[0]])).toEqual([1, 3, 4, 5].map((one) => [one, one]))
    await again.dropLog('log')
    expect(await again.append('log', [new Uint8Array([1])])).toBe(1)
    await again.close()
  })

  it('opens a store of before with all that is in it', async () => {
    const directory = freshDirectory()
    const store = await openLevelStore(directory)
    await store.put('identity', new Uint8Array(10))
    await store.close()
    await rm(join(directory, 'WRITTEN'))
    const again = await openLevelStore(directory)
    expect(new Uint8Array((await again.get('identity')) ?? [])).toEqual(new Uint8Array(10))
    await again.close()
  })

  it('has nothing left in its files of what was overwritten or deleted, once they are tidied', async () => {
    const directory = freshDirectory()
    const store = await openLevelStore(directory)
    for (let round = 0; round < 3; round++) {
      await store.put('overwritten', new TextEncoder().encode('an old secret'))
      await store.put('deleted', new TextEncoder().encode('an old secret'))
      await store.append('dropped', [new TextEncoder().encode('an old secret')])
      await store.put('overwritten', new TextEncoder().encode('a new one'))
      await store.delete('deleted')
      await store.dropLog('dropped')
      await store.scrub()
      const files = await Promise.all(
        (await readdir(directory)).map((name) => readFile(join(directory, name), 'latin1')),
      )
      expect(files.join('\n')).not.toContain('old secret')
      expect(files.join('\n')).toContain('a new one')
    }
    await store.close()
  })
})
