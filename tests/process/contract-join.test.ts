import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeTinyGguf } from '../kit/gguf.ts'
import { makeTempDir, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'

let temp: Awaited<ReturnType<typeof makeTempDir>>
let first: HelperProcess
let second: HelperProcess

interface DeviceLine {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly path: string
  readonly rttMs: number | null
}

beforeAll(async () => {
  temp = await makeTempDir()
  const model = join(temp.path, 'tiny.gguf')
  await writeTinyGguf(model)
  first = await startHelper({ model, args: ['--name', 'Desk'] })
  // the second has no model of its own: whatever it is told comes from the first
  second = await startHelper({ args: ['--name', 'Laptop'] })
})
afterAll(async () => {
  await second.stop()
  await first.stop()
  await temp.remove()
})

async function devicesOf(helper: HelperProcess): Promise<DeviceLine[]> {
  return (await helper.cli(['devices', '--json'])).json as DeviceLine[]
}

const lineOf = async (helper: HelperProcess, id: string): Promise<DeviceLine | undefined> =>
  (await devicesOf(helper)).find((line) => line.id === id)

async function invitation(): Promise<string> {
  return ((await first.cli(['invite', '--json'])).json as { url: string }).url
}

test('a helper without an invitation knows nobody but itself and cannot ask the other', async () => {
  expect(await devicesOf(second)).toHaveLength(1)
  const asked = await second.cli(['ask', 'Anybody?', '--device', first.ports.peerId, '--json'])
  expect(asked).toMatchObject({ code: 1, json: { error: { code: 'device-unknown' } } })
})

test('a helper joins by a link, each sees the other, and the answer comes from where it was made', async () => {
  const joined = await second.cli(['join', await invitation(), '--json'])
  expect(joined).toMatchObject({ code: 0, json: { admitted: true, device: { id: first.ports.peerId } } })

  for (const [helper, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const line = await until(
      async () => {
        const found = await lineOf(helper, other.ports.peerId)
        return found?.state === 'online' ? found : undefined
      },
      { timeoutMs: 30_000, what: 'the other to be online' },
    )
    expect(line).toMatchObject({ path: 'direct' })
  }

  const asked = await second.cli(['ask', 'Hello?', '--json'])
  expect(asked).toMatchObject({ code: 0, json: { device: first.ports.peerId, route: { reason: expect.any(String) } } })
  expect((await second.cli(['ask', 'Hello?', '--device', 'Desk', '--json'])).code).toBe(0)
})

test('a link works once, and a used one is not taken for another', async () => {
  const third = await startHelper()
  try {
    const link = await invitation()
    expect((await third.cli(['join', link, '--json'])).code).toBe(0)
    const fourth = await startHelper()
    try {
      const again = await fourth.cli(['join', link, '--json'])
      expect(again).toMatchObject({ code: 1, json: { error: { code: 'invitation-used' } } })
      expect(await devicesOf(fourth)).toHaveLength(1)
    } finally {
      await fourth.stop()
    }
  } finally {
    await first.cli(['remove', third.ports.peerId, '--json'])
    await third.stop()
  }
})

test('a removed device is refused and stays out', async () => {
  const removed = await first.cli(['remove', 'Laptop', '--json'])
  expect(removed).toMatchObject({ code: 0, json: { removed: second.ports.peerId } })
  await until(async () => (await second.cli(['ask', 'Still?', '--device', first.ports.peerId, '--json'])).code === 1, {
    timeoutMs: 15_000,
    what: 'the removed device to be refused',
  })
  const line = await lineOf(first, second.ports.peerId)
  expect(line === undefined || line.state === 'removed').toBe(true)
})
