import { expect, test } from 'vitest'
import { ROOM_HEADS_MAX, SYNC_SNAPSHOT_ENVELOPES } from '../../mesh/base/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { startPeer } from '../kit/peers.ts'

const MESSAGES = 1_500

/** Counts the entries of logs that are read. */
function counting(store: MemoryStore): MemoryStore & { readonly entriesRead: () => number } {
  let entries = 0
  return {
    ...store,
    entriesRead: () => entries,
    async readLog(log, after, options) {
      const read = await store.readLog(log, after, options)
      entries += read.length
      return read
    },
  }
}

test('what opening a room reads does not grow with what was ever said in it', async () => {
  const store = createMemoryStore()
  const writer = await startPeer('Alice laptop', { store })
  const room = await writer.mesh.rooms.rooms.create({ name: 'Lake', people: [], history: 'all' })
  for (let index = 0; index < MESSAGES; index++) await writer.mesh.rooms.rooms.say(room, `Message ${String(index)}`)
  await writer.stop()
  const counted = counting(createMemoryStore(store.data))
  const reader = await startPeer('Alice laptop', { store: counted })
  try {
    const before = counted.entriesRead()
    await reader.mesh.rooms.rooms.open(room)
    expect(reader.mesh.rooms.rooms.get(room)?.items).toHaveLength(MESSAGES)
    // heads and content beyond their snapshots, the pieces of both, and the last arrivals
    expect(counted.entriesRead() - before).toBeLessThan(2 * SYNC_SNAPSHOT_ENVELOPES + 256 + ROOM_HEADS_MAX)
  } finally {
    await reader.stop()
  }
})
