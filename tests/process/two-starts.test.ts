import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeTinyGguf } from '../kit/gguf.ts'
import { makeTempDir, spawnHelper, startHelper } from '../kit/helper-process.ts'

let temp: Awaited<ReturnType<typeof makeTempDir>>
let model = ''

beforeAll(async () => {
  temp = await makeTempDir()
  model = join(temp.path, 'tiny.gguf')
  await writeTinyGguf(model)
})
afterAll(() => temp.remove())

test('of two helpers started at once on one directory one runs and the other ends with 1', async () => {
  const dataDir = join(temp.path, 'race')
  const processes = await Promise.all([spawnHelper(dataDir, { model }), spawnHelper(dataDir, { model })])
  const loser = await Promise.race(processes.map(async (each) => ({ each, result: await each.ended })))
  const winner = processes.find((each) => each !== loser.each)
  expect(loser.result.code).toBe(1)
  expect(loser.result.stderr).toContain(`in use by process ${String(winner?.child.pid)}`)
  winner?.child.kill('SIGTERM')
  expect((await winner?.ended)?.code).toBe(0)
})

test('two helpers of two directories run side by side as two devices', async () => {
  const [one, two] = await Promise.all([startHelper({ model }), startHelper({ model })])
  try {
    expect(one.ports.peerId).not.toBe(two.ports.peerId)
    expect(one.token).not.toBe(two.token)
    const crossed = await fetch(`${two.url}/v1/models`, { headers: { authorization: `Bearer ${one.token}` } })
    expect(crossed.status).toBe(401)
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
})
