import { expect, test } from 'vitest'
import { asId, silentLogger, type MeshError, type MessageId, type RoomId } from '../../../mesh/base/index.ts'
import { openArrivals, type Arrival, type Arrivals } from '../../../mesh/state/rooms/arrivals.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createMemoryStore, type MemoryStore } from '../../kit/memory-store.ts'

const ROOM = asId<RoomId>('room')
const MESSAGES = 700
const messageId = (index: number): MessageId => asId<MessageId>(String(index).padStart(36, '0'))

async function open(store: MemoryStore, problems: MeshError[] = []): Promise<Arrivals> {
  const ports = { store, clock: createVirtualClock(), log: silentLogger, problem: problems.push.bind(problems) }
  return openArrivals(ports, ROOM)
}

function rankOf(arrivals: Arrivals): { at: number; live: boolean; rank: number }[] {
  const all = Array.from({ length: MESSAGES }, (_, index) => arrivals.get(messageId(index)) as Arrival)
  const batches = [...new Set(all.map(({ batch }) => batch))].sort((a, b) => a - b)
  return all.map(({ at, live, batch }) => ({ at, live, rank: batches.indexOf(batch) }))
}

/** A conversation: one by one, and some found when the room was opened. */
async function converse(store: MemoryStore, problems?: MeshError[]): Promise<Arrivals> {
  const clock = createVirtualClock()
  const arrivals = await openArrivals(
    { store, clock, log: silentLogger, problem: (error) => problems?.push(error) },
    ROOM,
  )
  for (let index = 0; index < MESSAGES; index += index === 100 ? 50 : 1) {
    clock.advance(1_000)
    const together = Array.from({ length: index === 100 ? 50 : 1 }, (_, more) => messageId(index + more))
    arrivals.note(together, index !== 100)
  }
  await arrivals.settled()
  return arrivals
}

const logged = ({ data }: MemoryStore): number => data.logs.get(`rooms/${ROOM}/arrivals`)?.length ?? 0

test('arrivals of a long conversation are gathered, and say the same after a restart', async () => {
  const store = createMemoryStore()
  const before = rankOf(await converse(store))
  expect(logged(store)).toBeLessThan(256)
  expect(rankOf(await open(createMemoryStore(store.data)))).toEqual(before)
})

test('arrivals say the same when a kill comes between gathering them and letting the log go', async () => {
  const whole = createMemoryStore()
  const before = rankOf(await converse(whole))
  for (let atWrite = 255; atWrite < 262; atWrite++) {
    const store = createMemoryStore()
    const problems: MeshError[] = []
    store.failWrites({ code: 'storage-failed', atWrite, count: 1 })
    const here = rankOf(await converse(store, problems))
    expect(here).toEqual(before)
    expect(problems.map(({ code }) => code)).toEqual(['storage-failed'])
    const again = createMemoryStore(store.data)
    const reopened = await open(again)
    // an entry that could not be written is in what is gathered next
    expect(rankOf(reopened).length).toBe(MESSAGES)
    expect(rankOf(reopened)).toEqual(before)
    expect(logged(again)).toBeLessThan(256)
  }
})
