import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import {
  asId,
  silentLogger,
  SYNC_LATE_MS,
  SYNC_SEEN_EVERY_MS,
  type Clock,
  type DocumentId,
  type ScopeId,
} from '../../mesh/base/index.ts'
import { createEpochs, loadDeviceKey, loadLedger, loadSealingKey, roomScope } from '../../mesh/identity/index.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import { documentKey, type DocumentName, type EpochKey } from '../../mesh/sync/index.ts'
import { readEnvelope } from '../../mesh/sync/envelope.ts'
import { fromHex } from '../../mesh/wire/index.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame, type Frame } from '../kit/raw-node.ts'
import { backdatedChain } from '../kit/removed-writer.ts'
import { startSyncAttacker, type SyncAttacker } from '../kit/sync-attacker.ts'
import { until } from '../kit/wait.ts'

// A thief took everything off a device before it was removed, and has a friend whose device keeps documents.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

/** A clock that runs as ours does, and may be put forward: a device notes meanwhile, as often as it does, that it runs. */
function forwardClock(): Clock & { forward(ms: number): void } {
  let ahead = 0
  const notes = new Set<() => void>()
  return {
    now: () => systemClock.now() + ahead,
    monotonic: () => systemClock.monotonic(),
    schedule(delayMs, run) {
      if (delayMs !== SYNC_SEEN_EVERY_MS) return systemClock.schedule(delayMs, run)
      notes.add(run)
      return () => notes.delete(run)
    },
    forward(ms) {
      for (let left = ms; left > 0; left -= SYNC_SEEN_EVERY_MS) {
        ahead += Math.min(left, SYNC_SEEN_EVERY_MS)
        const due = [...notes]
        notes.clear()
        for (const note of due) note()
      }
    },
  }
}

/** What is on the device's disk, in the hands of somebody else. */
async function stolen(
  peer: TestPeer,
  mesh: SyncAttacker['mesh'],
  document: DocumentName,
): Promise<{ readonly key: Awaited<ReturnType<typeof loadDeviceKey>>; readonly epoch: EpochKey }> {
  const store = createMemoryStore(peer.store.data)
  const given = { clock: systemClock, random: systemRandom, log: silentLogger }
  const key = await loadDeviceKey(store, systemRandom)
  const ledger = await loadLedger({ ...given, store, key }, mesh)
  const sealingKey = await loadSealingKey(store, systemRandom)
  const epochs = await createEpochs({ ...given, ledger, self: key.id, sealingKey })
  const room = asId<DocumentId>(document.id) as unknown as Parameters<typeof roomScope>[0]
  return { key, epoch: await epochs.current(roomScope(room)) }
}

/** Hands envelopes over, and says what the victim then has and would not have. */
async function hand(
  source: FrameStream,
  document: DocumentName,
  envelopes: readonly Uint8Array[],
): Promise<{ readonly has: (chain: number) => boolean; readonly without: readonly number[] }> {
  const key = fromHex(documentKey(document))
  const offer = async (): Promise<Frame> => {
    await source.write({ type: 'offers', offers: [{ name: document, digest: new Uint8Array(16) }] })
    for (;;) {
      const frame = await readFrame(source)
      if (frame['type'] === 'want') return frame
    }
  }
  await offer()
  await source.write({ type: 'envelopes', document: key, envelopes: [...envelopes] })
  await source.write({ type: 'complete', document: key })
  // frames are taken one after the other: what is asked for next says what was taken
  const want = await offer()
  const vector = new Map(want['vector'] as [number, number][])
  return { has: (chain) => vector.has(chain), without: (want['without'] ?? []) as number[] }
}

test('a removed device is not heard by the hand of one that keeps documents, thirty days after it was removed', async () => {
  const clock = forwardClock()
  const alice = await startPeer('Alice', { clock })
  const carol = await startPeer('Carol')
  running.push(alice, carol)
  await join(carol, alice, 'Carol')
  const people = alice.mesh.rooms.people().map(({ id }) => id)
  const room = await alice.mesh.rooms.rooms.create({ name: 'Cabin', people, history: 'all' })
  const document: DocumentName = {
    id: asId<DocumentId>(room),
    kind: 'operations',
    scope: asId<ScopeId>(roomScope(room)),
  }
  await until(() => carol.mesh.rooms.rooms.list().some(({ id }) => id === room), { what: 'Carol to see the room' })
  await carol.mesh.rooms.rooms.open(room)
  await carol.mesh.rooms.rooms.say(room, 'Still here.')
  const friend = await startSyncAttacker(alice, 'helper-only')
  running.unshift(friend)
  const { key, epoch } = await stolen(carol, friend.mesh, document)
  await alice.mesh.remove(carol.mesh.self)
  const make = (): ReturnType<typeof backdatedChain> =>
    backdatedChain([{ bytes: new Uint8Array([1]) }, { bytes: new Uint8Array([2]) }], {
      ports: { signer: key, random: systemRandom },
      document,
      epoch,
      at: systemClock.now() - 60_000,
    })

  const written = await make()
  expect(readEnvelope(written.envelopes[0] as Uint8Array).head.author).toBe(carol.mesh.self)
  const source = await friend.source()
  const before = await hand(source, document, written.envelopes)
  // it may have been written before, and only the friend has it
  expect(before.has(written.chain)).toBe(true)

  // the key that Carol was not given is there
  await until(async () => (await alice.mesh.rooms.rooms.say(room, 'She is gone.'), true), { what: 'the next key' })
  clock.forward(SYNC_LATE_MS + 60_000)
  const again = await make()
  const after = await hand(source, document, again.envelopes)
  expect([after.has(written.chain), after.has(again.chain)]).toEqual([true, false])
  expect(after.without).toEqual([again.chain])
}, 30_000)
