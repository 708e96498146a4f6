import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { BUDGET_WAIT_MAX_MS, type Clock, type RoomId } from '../../mesh/base/index.ts'
import type { ReaderFrame, SourceFrame } from '../../mesh/net/index.ts'
import type { DocumentName } from '../../mesh/sync/index.ts'
import { settle } from '../kit/clock.ts'
import { startPeer } from '../kit/peers.ts'
import { readFrame } from '../kit/raw-node.ts'
import { startSyncAttacker } from '../kit/sync-attacker.ts'
import { createSyncWorld, ROOM, type SyncPeer } from '../kit/sync-world.ts'
import { until } from '../kit/wait.ts'

// Asking for documents costs a few bytes. What answering costs is what the answer brings, and it is
// charged to who asked.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

test('a question that lacks little has little read for it, wherever in a long log that is', async () => {
  const world = await createSyncWorld('asking', 2, { online: false })
  running.push(world)
  const [bob] = [world.peers[1] as SyncPeer]
  const early = await (world.peers[0] as SyncPeer).open(ROOM)
  for (let index = 0; index < 3; index++) await early.write([{ bytes: new Uint8Array(10) }])
  const [chain = 0] = early.vector().keys()
  // each start begins a chain
  const alice = await world.restart(0)
  const here = await alice.open(ROOM)
  for (let index = 0; index < 500; index++) await here.write([{ bytes: new Uint8Array(100) }])
  await alice.documents.idle()

  let entriesRead = 0
  const readLog = alice.store.readLog.bind(alice.store)
  alice.store.readLog = async (...given) => {
    const entries = await readLog(...given)
    entriesRead += entries.length
    return entries
  }
  const vector = [...here.vector()].map(([number, sequence]): [number, number] =>
    number === chain ? [number, sequence - 1] : [number, sequence],
  )
  const inbox: ReaderFrame[] = []
  const sent: SourceFrame[] = []
  let wake = (): void => undefined
  const over = new AbortController()
  const serving = alice.syncer.host.serve(
    {
      peer: bob.documents.self,
      over: over.signal,
      async read() {
        for (;;) {
          const frame = inbox.shift()
          if (frame !== undefined) return frame
          await new Promise<void>((resolve) => (wake = resolve))
        }
      },
      write: async (frame) => void sent.push(frame),
      abort: () => undefined,
      work: (run) => run(),
    },
    { signal: over.signal },
  )
  const ask = async (): Promise<void> => {
    inbox.push({ type: 'want', name: ROOM, vector })
    wake()
    const before = sent.length
    while (!sent.slice(before).some(({ type }) => type === 'complete')) await settle()
  }
  await ask()
  const first = entriesRead
  for (let count = 0; count < 10; count++) await ask()
  expect(sent.filter(({ type }) => type === 'envelopes')).toHaveLength(11)
  expect(entriesRead - first).toBeLessThanOrEqual(10 * 8)
  over.abort()
  await serving.catch(() => undefined)
})

/** A device on which everything takes thirty times as long. */
const slowly: Clock = { ...systemClock, busyMs: () => 30 * systemClock.monotonic() }
const nameOf = (room: RoomId): DocumentName =>
  ({ id: room, kind: 'operations', scope: `room:${room}` }) as unknown as DocumentName

test('answering is charged to who asked: beyond its budget a device waits, also when it never ends asking', async () => {
  const alice = await startPeer('Alice', { clock: slowly })
  running.push(alice)
  const room = await alice.mesh.rooms.rooms.create({ name: 'Ours', people: [], history: 'all' })
  for (let index = 0; index < 20; index++) await alice.mesh.rooms.rooms.say(room, 'a'.repeat(1_000))
  const mallory = await startSyncAttacker(alice, 'helper-only')
  running.unshift(mallory)
  const stream = await mallory.take()
  let answers = 0
  const hear = async (): Promise<void> => {
    for (;;) if ((await readFrame(stream, 60_000))['type'] === 'complete') answers += 1
  }
  hear().catch(() => undefined)
  const flood = async (): Promise<void> => {
    for (;;) {
      await stream.write({ type: 'want', name: nameOf(room), vector: [] })
      await stream.write({ type: 'grant', bytes: 256 * 1024 })
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  flood().catch(() => undefined)
  await until(() => answers > 0, { what: 'an answer' })
  // its burst, and all it may owe
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const before = answers
  const forMs = 2 * BUDGET_WAIT_MAX_MS
  await new Promise((resolve) => setTimeout(resolve, forMs))
  console.info(`${String(before)} answers, then ${String(answers - before)} in ${String(forMs)} ms`)
  expect(answers - before).toBeLessThan(20)
  // it is answered all the same
  await until(() => answers > before, { what: 'another answer', timeoutMs: 20_000 })
}, 60_000)
