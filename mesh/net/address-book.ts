import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import { ADDRESSES_MAX, wholeRecords, type DeviceId, type Logger, type Store } from '../base/index.ts'
import { address, decode, deviceId, encode, list, toHex, whole } from '../wire/index.ts'

const record = z.object({
  id: deviceId,
  addresses: list(address, ADDRESSES_MAX),
  /** Those of them at which the device was reached; absent in records of before it was kept. */
  proven: z.optional(list(address, ADDRESSES_MAX)),
  seenAt: z.nullable(whole()),
})

/** Where devices were reached, where they say they are, and when they were last seen; kept over restarts. */
export interface AddressBook {
  /** Everything known, at most {@link ADDRESSES_MAX}: where it was reached first, newest first, then what was told. */
  addresses(id: DeviceId): readonly string[]
  /** Whether the device was reached there: its key answered. Everything else is hearsay. */
  isProven(id: DeviceId, address: string): boolean
  seenAt(id: DeviceId): number | null
  /** The device was reached there. Durable. */
  prove(id: DeviceId, address: string): void
  /** What a link of a person says: put before what else was told. Durable. */
  learn(id: DeviceId, addresses: readonly string[]): void
  /** What the device says of itself: put before what it said earlier. Durable with the next {@link saw}. */
  told(id: DeviceId, addresses: readonly string[]): void
  saw(id: DeviceId, at: number): void
  /** Resolves when everything learnt is durable. */
  flush(): Promise<void>
}

type Entry = Omit<z.output<typeof record>, 'proven'> & { readonly proven: readonly string[] }

/** Loads the book. A record that cannot be read is dropped: addresses are learnt again. */
export async function loadAddressBook(
  store: Store,
  log: Logger,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<AddressBook> {
  const book = new Map<DeviceId, Entry>()
  for (const { key, value } of wholeRecords(await store.list('peer/', options), log)) {
    try {
      const entry = decode(value, record, { maxBytes: 16_384, what: 'A stored address' })
      book.set(entry.id, { ...entry, proven: entry.proven ?? [] })
    } catch (error) {
      log.warn('a stored address could not be read and was dropped', { key, error })
    }
  }
  /** Not yet written: however often a device changes its mind, one write of it waits at most. */
  const unwritten = new Set<DeviceId>()
  let writing: Promise<void> | undefined

  const writeAll = async (): Promise<void> => {
    for (const id of unwritten) {
      unwritten.delete(id)
      const entry = book.get(id)
      if (entry === undefined) continue
      try {
        await store.put(`peer/${toHex(sha256(new TextEncoder().encode(id)).subarray(0, 16))}`, encode(entry))
      } catch (error) {
        log.warn('an address could not be stored', { error })
      }
    }
  }

  const write = (id: DeviceId): void => {
    unwritten.add(id)
    writing ??= writeAll().finally(() => {
      writing = undefined
    })
  }

  const entryOf = (id: DeviceId): Entry => book.get(id) ?? { id, addresses: [], proven: [], seenAt: null }

  /** Takes in what is told; true: something of it is new. */
  const merge = (id: DeviceId, told: readonly string[]): boolean => {
    const known = entryOf(id)
    const addresses = [...new Set([...known.proven, ...told, ...known.addresses])].slice(0, ADDRESSES_MAX)
    if (addresses.join() === known.addresses.join()) return false
    book.set(id, { ...known, addresses })
    return true
  }

  return {
    addresses: (id) => entryOf(id).addresses,
    isProven: (id, one) => entryOf(id).proven.includes(one),
    seenAt: (id) => entryOf(id).seenAt,
    prove(id, one) {
      const known = entryOf(id)
      if (known.proven[0] === one) return
      // half of the places stay for what is told: a device that moved is found by that
      const proven = [...new Set([one, ...known.proven])].slice(0, ADDRESSES_MAX / 2)
      const addresses = [...new Set([...proven, ...known.addresses])].slice(0, ADDRESSES_MAX)
      book.set(id, { ...known, proven, addresses })
      write(id)
    },
    learn(id, addresses) {
      if (merge(id, addresses)) write(id)
    },
    told: merge,
    saw(id, at) {
      book.set(id, { ...entryOf(id), seenAt: at })
      write(id)
    },
    async flush() {
      while (writing !== undefined) await writing
    },
  }
}
