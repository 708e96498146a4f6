import { createTwiceKept, messageOf, type Logger, type MeshId, type ReadEntry, type Store } from '../../base/index.ts'
import { toHex } from '../../wire/index.ts'
import type { Cancellable } from './ledger-types.ts'

/** The log of one mesh's ledger in this device's store, kept twice: a removal that is lost would be undone. */
export interface LedgerLog {
  /** What is whole in either, and how many are in neither. What one of them lacks it is given. */
  read(options?: Cancellable): Promise<{ readonly records: readonly Uint8Array[]; readonly damaged: number }>
  /** Durable when it resolves. @throws MeshError of the store; nothing is added then */
  append(records: readonly Uint8Array[], options?: Cancellable): Promise<void>
  /** Puts these in the place of all. Whenever it is cut, the one or the other is there. @throws MeshError of the store */
  replace(records: readonly Uint8Array[], options?: Cancellable): Promise<void>
}

const FIRST = 0
const GENERATION_BYTES = 1
/** What the second of two logs begins with. */
const SECOND = 'second/'

/** Opens it. @throws MeshError of the store */
export async function openLedgerLog(
  { store, log }: { readonly store: Store; readonly log: Logger },
  mesh: MeshId,
  options: Cancellable = {},
): Promise<LedgerLog> {
  const pointer = `ledger/log/${mesh}`
  // two names that take turns: what is being written is not what is read until the pointer says so
  const nameOf = (generation: number): string =>
    generation === FIRST ? `ledger/${mesh}` : `ledger/${mesh}/${toHex(Uint8Array.of(generation))}`
  const kept = createTwiceKept(store, pointer, log)
  let generation = (await kept.read(options))?.[0] ?? FIRST
  const pointerTo = (one: number): Uint8Array => new Uint8Array(GENERATION_BYTES).fill(one)
  const makeSure = (how?: Cancellable): Promise<void> => kept.makeSure(() => pointerTo(generation), how)

  /** The second is only ever what the first was; where it cannot be, that is tried again at the next start. */
  const second = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      log.warn('the ledger could not be kept twice; it is tried again at the next start', { reason: messageOf(error) })
    }
  }

  const writeSecond = async (name: string, records: readonly Uint8Array[], how?: Cancellable): Promise<void> => {
    await store.dropLog(SECOND + name, how)
    await store.append(SECOND + name, records, how)
  }

  const replace: LedgerLog['replace'] = async (records, how) => {
    // a pointer that was not written for sure may say that the very log counts which is begun now
    await makeSure(how)
    const next = generation === 1 ? 2 : 1
    // what an earlier try left
    await store.dropLog(nameOf(next), how)
    await store.append(nameOf(next), records, how)
    await second(() => writeSecond(nameOf(next), records, how))
    const old = generation
    await kept.put(pointerTo(next), how)
    generation = next
    try {
      await store.dropLog(SECOND + nameOf(old), how)
      await store.dropLog(nameOf(old), how)
    } catch (error) {
      // it is dropped before it is begun again
      log.warn('an old log of the ledger could not be dropped yet', { reason: messageOf(error) })
    }
  }

  return {
    async read(how) {
      const name = nameOf(generation)
      const [one, other] = [await store.readLog(name, 0, how), await store.readLog(SECOND + name, 0, how)]
      if (areSame(one, other)) return { records: wholeOf(one), damaged: 0 }
      const records = together(wholeOf(one), wholeOf(other))
      // the second is never ahead: what it has alone was lost in the first, be it from the end
      const lost = Math.max(one.length, records.length) - wholeOf(one).length
      const isMended = records.length >= one.length
      if (lost > 0) log.error('stored entries of the ledger were damaged', { mesh, lost, isMended })
      if (lost > 0 && isMended) await second(() => replace(records, how))
      else if (!areSame(entriesOf(records), other)) await second(() => writeSecond(name, records, how))
      return { records, damaged: isMended ? 0 : lost }
    },
    async append(records, how) {
      await makeSure(how)
      const name = nameOf(generation)
      await store.append(name, records, how)
      await second(() => store.append(SECOND + name, records, how))
    },
    replace,
  }
}

/** Forgets the ledger of a mesh that was never joined. @throws MeshError of the store */
export async function dropNewLedger(store: Pick<Store, 'dropLog'>, mesh: MeshId, options: Cancellable): Promise<void> {
  await store.dropLog(`${SECOND}ledger/${mesh}`, options)
  await store.dropLog(`ledger/${mesh}`, options)
}

function wholeOf(entries: readonly Pick<ReadEntry, 'bytes'>[]): Uint8Array[] {
  return entries.flatMap(({ bytes }) => bytes ?? [])
}

function entriesOf(records: readonly Uint8Array[]): Pick<ReadEntry, 'bytes'>[] {
  return records.map((bytes) => ({ bytes }))
}

/** Everything of the one, then what only the other has. */
function together(one: readonly Uint8Array[], other: readonly Uint8Array[]): Uint8Array[] {
  const known = new Set(one.map(toHex))
  return [...one, ...other.filter((record) => !known.has(toHex(record)))]
}

/** Whole, both, and the same. */
function areSame(one: readonly Pick<ReadEntry, 'bytes'>[], other: readonly Pick<ReadEntry, 'bytes'>[]): boolean {
  return one.length === other.length && one.every(({ bytes }, at) => equal(bytes, other[at]?.bytes))
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined || a.byteLength !== b.byteLength) return false
  return a.every((byte, index) => byte === b[index])
}
