import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import { ADDRESSES_MAX, type DeviceId, type Logger, type Store } from '../base/index.ts'
import { address, decode, deviceId, encode, list, toHex, whole } from '../wire/index.ts'

const record = z.object({ id: deviceId, addresses: list(address, ADDRESSES_MAX), seenAt: z.nullable(whole()) })

/** Where devices were last reachable and when they were last seen; kept over restarts. */
export interface AddressBook {
  addresses(id: DeviceId): readonly string[]
  seenAt(id: DeviceId): number | null
  /** Puts these first, keeps older ones behind them, at most {@link ADDRESSES_MAX}. */
  learn(id: DeviceId, addresses: readonly string[]): void
  /** Hearsay of another device: kept behind what is known, never instead of it. */
  suggest(id: DeviceId, addresses: readonly string[]): void
  saw(id: DeviceId, at: number): void
  /** Resolves when everything learnt is durable. */
  flush(): Promise<void>
}

/**
 * Whether an address may be of this device: numbers and ports, no names that would be
 * looked up, no paths, and no other device in it. What devices tell of themselves and
 * of each other must not make anybody ask a name server or a web server of their choice.
 */
export function isPlainAddress(address: string, id: DeviceId): boolean {
  if (/\/(dns|dns4|dns6|dnsaddr|sni|http-path|unix)(\/|$)/.test(address)) return false
  return [...address.matchAll(/\/(?:p2p|ipfs)\/([^/]+)/g)].every(([, named]) => named === id)
}

/** Loads the book. A record that cannot be read is dropped: addresses are learnt again. */
export async function loadAddressBook(
  store: Store,
  log: Logger,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<AddressBook> {
  const book = new Map<DeviceId, z.output<typeof record>>()
  for (const { key, value } of await store.list('peer/', options)) {
    try {
      const entry = decode(value, record, { maxBytes: 16_384, what: 'A stored address' })
      book.set(entry.id, entry)
    } catch (error) {
      log.warn('a stored address could not be read and was dropped', { key, error })
    }
  }
  let writing: Promise<void> = Promise.resolve()

  const put = (entry: z.output<typeof record>): void => {
    book.set(entry.id, entry)
    writing = writing
      .then(() => store.put(`peer/${toHex(sha256(new TextEncoder().encode(entry.id)).subarray(0, 16))}`, encode(entry)))
      .catch((error: unknown) => {
        log.warn('an address could not be stored', { error })
      })
  }

  const merge = (id: DeviceId, addresses: readonly string[]): void => {
    const known = book.get(id)
    const next = [...new Set(addresses)].slice(0, ADDRESSES_MAX)
    if (next.join() === (known?.addresses ?? []).join()) return
    put({ id, addresses: next, seenAt: known?.seenAt ?? null })
  }

  return {
    addresses: (id) => book.get(id)?.addresses ?? [],
    seenAt: (id) => book.get(id)?.seenAt ?? null,
    learn: (id, addresses) => {
      merge(id, [...addresses, ...(book.get(id)?.addresses ?? [])])
    },
    suggest: (id, addresses) => {
      merge(id, [...(book.get(id)?.addresses ?? []), ...addresses])
    },
    saw(id, at) {
      put({ id, addresses: book.get(id)?.addresses ?? [], seenAt: at })
    },
    flush: () => writing,
  }
}
