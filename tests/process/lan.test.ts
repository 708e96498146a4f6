import { createSocket } from 'node:dgram'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findDirOwner } from '../../helper/data-dir/index.ts'
import { freePorts } from '../kit/free-ports.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import { makeTempDir, startHelper } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'

// The native WebRTC library cannot close a socket it listened on: a life of the helper whose network a switch
// opened has a process of its own.

let temp: Awaited<ReturnType<typeof makeTempDir>>
let model = ''

beforeAll(async () => {
  temp = await makeTempDir()
  model = join(temp.path, 'tiny.gguf')
  await writeTinyGguf(model)
})
afterAll(() => temp.remove())

const isListenedOn = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(true)
    })
    socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => {
      socket.close(() => {
        resolve(false)
      })
    })
  })

test('the local network is opened and closed again and again at the same ports, and closed nothing listens there', async () => {
  const port = await freePorts()
  const helper = await startHelper({ model, port, dataDir: join(temp.path, 'again') })
  const file = join(temp.path, 'passphrase')
  await writeFile(file, 'a heron in the rain\n')
  expect((await helper.cli(['lock', 'set', '--passphrase-file', file, '--json'])).code).toBe(0)
  const pids = new Set<number | undefined>()
  try {
    for (const wanted of ['on', 'off', 'on']) {
      // nobody types the passphrase of the lock again
      expect(await helper.cli(['lan', wanted, '--json'])).toMatchObject({ code: 0, json: { lan: wanted === 'on' } })
      expect([wanted, await isListenedOn(port + 3)]).toEqual([wanted, wanted === 'on'])
      expect((await helper.cli(['ask', 'Hello?', '--json'])).code).toBe(0)
      pids.add(await findDirOwner(helper.dataDir))
    }
    // closed, it is the process that was started; each time it is open another one
    expect([pids.size, pids.has(helper.pid)]).toEqual([3, true])
    expect((await helper.cli(['stop', '--json'])).code).toBe(0)
    expect((await helper.ended).code).toBe(0)
  } finally {
    await helper.stop()
  }
  expect([await isListenedOn(port + 3), await findDirOwner(helper.dataDir)]).toEqual([false, undefined])
})

test('an open helper ends with the process that was started, also when that one is killed', async () => {
  const helper = await startHelper({ model, dataDir: join(temp.path, 'killed') })
  expect((await helper.cli(['lan', 'on', '--json'])).code).toBe(0)
  await helper.kill()
  await until(async () => (await findDirOwner(helper.dataDir)) === undefined, { what: 'the open helper to end' })
})
