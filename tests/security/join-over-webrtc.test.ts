import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { asId, silentLogger, type MeshId } from '../../mesh/base/index.ts'
import {
  loadDeviceKey,
  loadLedger,
  loadSealingKey,
  personIdOfDevice,
  signCertificate,
  signEntry,
  type EntryFields,
} from '../../mesh/identity/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { join, loopbackPreset, startPeer } from '../kit/peers.ts'

// To who joins, the inviter is a stranger, and WebRTC has no way to make it wait: the ledger of a mesh that is some
// years old must not look like a flood.

const YEAR_MS = 365 * 24 * 60 * 60_000
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** The disk of a device whose mesh is three years old, with a ledger of so many entries of some 3.6 kB. */
async function oldStore(count: number): Promise<{ readonly store: MemoryStore; readonly bytes: number }> {
  const store = createMemoryStore()
  const key = await loadDeviceKey(store, systemRandom)
  const { publicKey: sealingKey } = await loadSealingKey(store, systemRandom)
  const began = systemClock.now() - 3 * YEAR_MS
  const certificate = await signCertificate(key, { sealingKey, kind: 'helper', name: 'Alice', at: began })
  const person = { id: personIdOfDevice(key.id), name: 'Alice' }
  const create = await signEntry(key, { type: 'create', name: '', person, certificate }, { parents: [], at: began })
  const mesh = asId<MeshId>(create.hash)
  const all = [create]
  let last = create
  for (let index = 0; index < count; index++) {
    const fields = { type: 'rename', device: key.id, name: `n${String(index)}`, later: new Uint8Array(3_500) }
    const at = began + (index + 1) * ((3 * YEAR_MS) / (count + 2))
    last = await signEntry(key, fields as EntryFields, { parents: [last.hash], at: Math.floor(at), mesh })
    all.push(last)
  }
  const ledger = await loadLedger({ store, clock: systemClock, log: silentLogger, key }, mesh)
  for (const { bytes } of all) await ledger.take([bytes])
  await store.put('ledger/current', new TextEncoder().encode(create.hash))
  return { store, bytes: all.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) }
}

test('a device joins over WebRTC alone a mesh with a ledger of 3.5 MB', { timeout: 120_000 }, async () => {
  const { store, bytes } = await oldStore(1_000)
  expect(bytes).toBeGreaterThan(3_500_000)
  const alice = await startPeer('Alice', { store })
  stops.push(() => alice.stop())
  const own = createMemoryStore()
  // as a page that no WebSocket reaches
  const preset = {
    ...(await loopbackPreset(own)),
    canDial: (address: string) => address.includes('/webrtc-direct') && !address.includes('p2p-circuit'),
  }
  const bob = await startPeer('Bob', { store: own, preset })
  stops.push(() => bob.stop())
  await join(bob, alice, 'Bob')
  expect((await bob.untilOnline(alice)).path).toBe('direct')
})
