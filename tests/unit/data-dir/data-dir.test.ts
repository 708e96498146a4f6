import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  findDirOwner,
  openDataDir,
  readCredential,
  readReadiness,
  type DataDir,
} from '../../../helper/data-dir/index.ts'
import { systemRandom } from '../../../helper/ports/random.ts'

let root = ''
let dir = ''
const held: DataDir[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-data-'))
  dir = join(root, 'data')
})
afterEach(async () => {
  for (const each of held.splice(0)) await each.release()
  await rm(root, { recursive: true, force: true })
})

async function open(path = dir): Promise<DataDir> {
  const opened = await openDataDir(path, { nowMs: 1_000, random: systemRandom })
  held.push(opened)
  return opened
}

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const readiness = {
  pid: 1,
  http: 7001,
  ws: 7002,
  tcp: 7003,
  webrtcDirect: '/ip4/127.0.0.1/udp/7004',
  peerId: '12D3KooW',
  startedAt: 5,
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid ?? 0
}

test.skipIf(process.platform === 'win32')('the directory and what is in it is for its user only', async () => {
  await mkdir(dir, { mode: 0o755 })
  const data = await open()
  await data.writeReadiness(readiness)
  await data.writeCredential({ url: 'http://127.0.0.1:7001/', credential: 'c'.repeat(43), pid: 1 })
  await data.token()
  expect(await mode(dir)).toBe(0o700)
  for (const name of await readdir(dir)) expect([name, await mode(join(dir, name))]).toEqual([name, 0o600])
})

test('what was written as ready is read back exactly, and is gone after the release', async () => {
  const data = await open()
  await data.writeReadiness(readiness)
  expect(JSON.parse(await readFile(join(dir, 'ports.json'), 'utf8'))).toEqual(readiness)
  expect(await readReadiness(dir)).toEqual(readiness)
  await data.release()
  expect(await readReadiness(dir)).toBeUndefined()
  expect(await readCredential(dir)).toBeUndefined()
  expect(await readdir(dir)).toEqual([])
})

test('a second owner is refused with the number of the first', async () => {
  await open()
  await expect(open()).rejects.toMatchObject({
    code: 'data-dir-in-use',
    message: expect.stringContaining(`in use by process ${String(process.pid)}`),
    detail: { pid: process.pid },
  })
})

test('a lock of a process that is gone is replaced, and what it left is cleared', async () => {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'helper.lock'), JSON.stringify({ pid: await deadPid(), startedAt: 0 }))
  await writeFile(join(dir, 'ports.json'), JSON.stringify(readiness))
  await writeFile(join(dir, 'open-0011.html'), 'left')
  const data = await open()
  expect(data.wasLeftBehind).toBe(true)
  expect(await readdir(dir)).toEqual(['helper.lock'])
  expect(await findDirOwner(dir)).toBe(process.pid)
})

test.runIf(process.platform === 'linux')(
  'a process that only got the id of a dead owner is not taken for it',
  async () => {
    await mkdir(dir, { recursive: true })
    await writeFile(
      join(dir, 'helper.lock'),
      JSON.stringify({ pid: process.ppid, startMark: 'another boot:1', startedAt: 0 }),
    )
    expect(await findDirOwner(dir)).toBeUndefined()
    expect((await open()).wasLeftBehind).toBe(true)
  },
)

test('a damaged lock has no owner', async () => {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'helper.lock'), '{"pid":')
  expect((await open()).wasLeftBehind).toBe(true)
})

test('of many that start at once exactly one gets the directory', async () => {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'helper.lock'), JSON.stringify({ pid: await deadPid(), startedAt: 0 }))
  const results = await Promise.allSettled(Array.from({ length: 12 }, () => open()))
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'data-dir-in-use' })
})

test('a file in the place of the directory is said plainly', async () => {
  await writeFile(dir, 'not a directory')
  await expect(open()).rejects.toMatchObject({ code: 'data-dir-unusable', message: expect.stringContaining(dir) })
  await expect(open(join(dir, 'below'))).rejects.toMatchObject({ code: 'data-dir-unusable' })
})

test('the token is made once and stays the same', async () => {
  const data = await open()
  const token = await data.token()
  expect(token).toMatch(/^[\w-]{43}$/)
  await data.release()
  expect(await (await open()).token()).toBe(token)
})

test('a damaged token is replaced by one that a header can carry', async () => {
  const data = await open()
  for (const content of ['', 'short', '\u0000\u0001 not a token at all\n\n', 'two\nlines of a damaged file']) {
    await writeFile(join(dir, 'token'), content)
    const token = await data.token()
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(await data.token()).toBe(token)
  }
})

test('switches are remembered over a restart', async () => {
  const data = await open()
  expect(await data.switches()).toEqual({})
  await data.writeSwitches({ lan: true })
  await data.release()
  expect(await (await open()).switches()).toEqual({ lan: true })
})
