import {
  isMeshError,
  MeshError,
  throwIfAborted,
  withGaps,
  type PlatformStore,
  type Random,
  type Store,
  type StoreOptions,
} from '../base/index.ts'
import type { SecretKey } from './aead.ts'

/** In front of every record key and log name of sealed data, so that it never meets what is not sealed. */
export const SEALED_PREFIX = 'sealed/'

/**
 * A Store over another whose records and entries are sealed. The name of its place
 * (kind, then key or log) is the context of each box, so what is moved elsewhere in
 * the store does not open. Not hidden: the names themselves, sizes, and how many there
 * are. Not authenticated: the order within a log, and that nothing was taken away.
 *
 * Keeps the contract of Store; writes reach the inner store in the order of the calls.
 * What does not open is damaged: told as such in a list or log, whose others are whole.
 * @throws MeshError as the inner store does; `storage-corrupt` for a record that does not open
 */
export function createSealedStore(inner: PlatformStore, key: SecretKey, random: Random): Store {
  const inTurn = createTurn()

  /** Undefined for what does not open. */
  const openedIfWhole = async (place: Place, name: string, box: Uint8Array): Promise<Uint8Array | undefined> => {
    try {
      return await key.open(box, contextOf(place, name))
    } catch (error) {
      if (isMeshError(error, 'integrity')) return undefined
      throw error
    }
  }

  return {
    async get(name, options) {
      throwIfAborted(options?.signal)
      const box = await inTurn(undefined, () => inner.get(SEALED_PREFIX + name, options))
      if (box === undefined) return undefined
      const value = await openedIfWhole('record', name, box)
      if (value === undefined) throw doesNotOpen(name)
      return value
    },

    async put(name, value, options) {
      throwIfAborted(options?.signal)
      const sealing = key.seal(value, contextOf('record', name), random)
      await inTurn(sealing, (box) => inner.put(SEALED_PREFIX + name, box, options))
    },

    async delete(name, options) {
      throwIfAborted(options?.signal)
      await inTurn(undefined, () => inner.delete(SEALED_PREFIX + name, options))
    },

    async list(prefix, options) {
      throwIfAborted(options?.signal)
      const found = await inTurn(undefined, () => inner.list(SEALED_PREFIX + prefix, options))
      return Promise.all(
        found.map(async ({ key: inside, value }) => {
          const name = inside.slice(SEALED_PREFIX.length)
          return { key: name, value: await openedIfWhole('record', name, value) }
        }),
      )
    },

    async append(log, entries, options) {
      throwIfAborted(options?.signal)
      const context = contextOf('log', log)
      const sealing = Promise.all(entries.map((entry) => key.seal(entry, context, random)))
      return inTurn(sealing, (boxes) => inner.append(SEALED_PREFIX + log, boxes, options))
    },

    async readLog(log, after, options) {
      throwIfAborted(options?.signal)
      const found = await inTurn(undefined, () => inner.readLog(SEALED_PREFIX + log, after, options))
      return Promise.all(
        withGaps(found, after).map(async ({ sequence, bytes }) => ({
          sequence,
          bytes: bytes && (await openedIfWhole('log', log, bytes)),
        })),
      )
    },

    async dropLog(log: string, options?: StoreOptions) {
      throwIfAborted(options?.signal)
      await inTurn(undefined, () => inner.dropLog(SEALED_PREFIX + log, options))
    },

    close: () => inTurn(undefined, () => inner.close()),
  }
}

type Place = 'record' | 'log'

function contextOf(place: Place, name: string): Uint8Array {
  return new TextEncoder().encode(`plexus store v1 ${place} ${name}`)
}

/**
 * Sealing takes a moment, and a later small write must not overtake an earlier large
 * one. Calls are handed on in order; nobody waits for another's disk.
 */
function createTurn(): <Ready, Value>(
  ready: Promise<Ready> | Ready,
  hand: (ready: Ready) => Promise<Value>,
) => Promise<Value> {
  let turn: Promise<unknown> = Promise.resolve()
  return (ready, hand) => {
    const begun = turn.then(() => ready)
    // it may fail before its turn comes; `begun` tells
    void Promise.resolve(ready).catch(nothing)
    turn = begun.then(nothing, nothing)
    return begun.then(hand)
  }
}

function nothing(): void {
  // who waits for the turn does not care how it went
}

function doesNotOpen(name: string): MeshError {
  return new MeshError('storage-corrupt', `The stored record "${name}" does not open: it was changed or moved.`, {
    detail: { name },
  })
}
