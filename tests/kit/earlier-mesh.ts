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
import { createMemoryStore, type MemoryStore } from './memory-store.ts'

/** The disk of a device whose mesh began before devices said a word of their own at their admission. */
export async function earlierStore(): Promise<MemoryStore> {
  const store = createMemoryStore()
  const ports = { store, clock: systemClock, log: silentLogger, key: await loadDeviceKey(store, systemRandom) }
  const { publicKey: sealingKey } = await loadSealingKey(store, systemRandom)
  const at = systemClock.now()
  const certificate = await signCertificate(ports.key, { sealingKey, kind: 'helper', name: 'Alice', at })
  const person = { id: personIdOfDevice(ports.key.id), name: 'Alice' }
  const fields: EntryFields = { type: 'create', name: '', person, certificate }
  const create = await signEntry(ports.key, fields, { parents: [], at })
  const ledger = await loadLedger(ports, asId<MeshId>(create.hash))
  await ledger.take([create.bytes])
  await store.put('ledger/current', new TextEncoder().encode(create.hash))
  return store
}
