import type { LogEntry, MeshId, Store } from '../../base/index.ts'
import { toHex } from '../../wire/index.ts'
import type { Cancellable } from './ledger-types.ts'

/** The log of one mesh's ledger in this device's store. */
export interface LedgerLog {
  read(options?: Cancellable): Promise<readonly LogEntry[]>
  /** Durable when it resolves. @throws MeshError of the store; nothing is added then */
  append(records: readonly Uint8Array[], options?: Cancellable): Promise<void>
  /** Puts these in the place of all. Whenever it is cut, the one or the other is there. @throws MeshError of the store */
  replace(records: readonly Uint8Array[], options?: Cancellable): Promise<void>
}

const FIRST = 0
const GENERATION_BYTES = 1

/** Opens it. @throws MeshError of the store */
export async function openLedgerLog(store: Store, mesh: MeshId, options: Cancellable = {}): Promise<LedgerLog> {
  const pointer = `ledger/log/${mesh}`
  // two names that take turns: what is being written is not what is read until the pointer says so
  const nameOf = (generation: number): string =>
    generation === FIRST ? `ledger/${mesh}` : `ledger/${mesh}/${toHex(Uint8Array.of(generation))}`
  let generation = (await store.get(pointer, options))?.[0] ?? FIRST

  return {
    read: (how) => store.readLog(nameOf(generation), 0, how),
    async append(records, how) {
      await store.append(nameOf(generation), records, how)
    },
    async replace(records, how) {
      const next = generation === 1 ? 2 : 1
      // what an earlier try left
      await store.dropLog(nameOf(next), how)
      await store.append(nameOf(next), records, how)
      const old = generation
      await store.put(pointer, new Uint8Array(GENERATION_BYTES).fill(next), how)
      generation = next
      await store.dropLog(nameOf(old), how)
    },
  }
}
