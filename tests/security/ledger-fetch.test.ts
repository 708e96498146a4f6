import { afterEach, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import type { DeviceId, EntryHash } from '../../mesh/base/index.ts'
import { parseInvitation, signEntry, type EntryFields, type LedgerEntry } from '../../mesh/identity/index.ts'
import { LEDGER } from '../../mesh/net/protocols/ledger/messages.ts'
import { frameStream } from '../../mesh/net/stream.ts'
import { startPeer } from '../kit/peers.ts'
import { readFrame } from '../kit/raw-node.ts'
import { startRolePeer } from '../kit/role-peer.ts'
import { until } from '../kit/wait.ts'

// What a device gives when its ledger is fetched, in frames of its own choosing.

const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

test('an entry that counts is taken with what it links, in whichever frames they come', async () => {
  const alice = await startPeer('Alice')
  stops.push(() => alice.stop())
  const peer = await startRolePeer(alice, 'member')
  stops.push(() => peer.stop())
  const { mesh } = parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
  const write = (fields: EntryFields, parents: readonly EntryHash[]): Promise<LedgerEntry> =>
    signEntry(peer.raw.key, fields, { parents, at: Date.now(), mesh })
  const heads = alice.mesh.ledger().slice(-1)
  const parents = heads.map(({ hash }) => hash as EntryHash)
  // a member may not name the mesh: void, and kept only for an entry that links both, as earlier versions had them
  const one = await write({ type: 'rename', name: 'Mine' }, parents)
  const other = await write({ type: 'rename', name: 'Mine too' }, parents)
  const counts = await write({ type: 'rename', device: peer.id, name: 'Linked' }, [one.hash, other.hash])
  await peer.raw.node.handle(LEDGER.id, async (stream, from) => {
    const ends = { clock: systemClock, maxFrameBytes: LEDGER.maxFrameBytes }
    const frames = frameStream(stream, from.remotePeer.toString() as DeviceId, ends)
    await readFrame(frames)
    for (const entry of [one, other, counts]) {
      await frames.write({ type: 'entries', entries: [entry.bytes] })
      await readFrame(frames)
    }
    await frames.write({ type: 'end' })
  })
  await peer.send({ type: 'heads', heads: [counts.hash] })
  await until(() => alice.mesh.devices().some(({ name }) => name === 'Linked'), { what: 'the entry to be taken' })
})
