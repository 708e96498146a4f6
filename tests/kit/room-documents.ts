import {
  createEvents,
  MeshError,
  randomInt,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type ErrorCode,
  type EventHub,
  type Random,
} from '../../mesh/base/index.ts'
import type { DocumentChange, RoomDocument, StoredOperation } from '../../mesh/state/index.ts'

/** Something on its way from one replica to another. */
interface Letter {
  readonly from: DeviceId
  readonly to: DeviceId
  deliver(): void
}

/** One replica of the document of a room, with its faults. */
export interface TestDocument extends RoomDocument {
  readonly device: DeviceId
  /** Every write and erasure fails with this code until called with undefined. */
  failWrites(code: Extract<ErrorCode, 'storage-full' | 'storage-failed'> | undefined): void
  /** Puts an operation in as another member's device would, without asking this one. */
  plant(id: string, bytes: Uint8Array, at: number): void
}

/** Replicas of one room's document over a network that loses nothing and keeps no order. */
export interface RoomNetwork {
  /** The replica of a device; the same one again after it was closed, as after a reload. */
  document(device: DeviceId): TestDocument
  /** Delivers letters in random order until none is left between devices that are in touch. */
  deliverAll(): void
  /** Delivers up to so many letters, picked at random. */
  deliver(count: number): void
  /** Letters between these two wait. */
  part(a: DeviceId, b: DeviceId): void
  /** Nobody is parted any more. */
  join(): void
  readonly waiting: number
}

interface Replica {
  readonly device: DeviceId
  readonly operations: Map<string, StoredOperation>
  readonly erased: Set<string>
  readonly receipts: Map<string, Set<DeviceId>>
  readonly presence: Map<DeviceId, { bytes: Uint8Array; at: number }>
  readonly presenceSeen: Map<DeviceId, number>
  changes: EventHub<DocumentChange>
  presenceChanges: EventHub<void>
  fault: ErrorCode | undefined
  closed: boolean
}

/** Makes a network in which the random source picks what arrives next. */
export function createRoomNetwork(random: Random, clock: Clock): RoomNetwork {
  const replicas = new Map<DeviceId, Replica>()
  const letters: Letter[] = []
  const parted = new Set<string>()
  let presenceTold = 0
  const pair = (a: DeviceId, b: DeviceId): string => [a, b].sort().join(' ')
  const raise = (error: unknown): never => {
    throw error
  }

  const send = (from: Replica, act: (to: Replica) => void): void => {
    for (const to of replicas.values()) {
      if (to === from) continue
      letters.push({ from: from.device, to: to.device, deliver: () => act(to) })
    }
  }

  const emit = (replica: Replica, change: DocumentChange): void => {
    if (!replica.closed) replica.changes.emit(change)
  }

  const receive = (to: Replica, id: string, stored: StoredOperation): void => {
    // an erasure may overtake what it erases
    if (to.erased.has(id)) return
    if (!to.operations.has(id)) {
      to.operations.set(id, stored)
      emit(to, { added: [id], erased: [], author: stored.author })
    }
    send(to, (other) => {
      const holders = other.receipts.get(id) ?? new Set()
      other.receipts.set(id, holders.add(to.device))
      emit(other, { added: [], erased: [], author: to.device })
    })
  }

  const store = (replica: Replica, entries: readonly (readonly [string, StoredOperation])[]): void => {
    for (const [id, stored] of entries) replica.operations.set(id, stored)
    for (const [id, stored] of entries) {
      send(replica, (to) => {
        receive(to, id, stored)
      })
    }
  }

  const fresh = (device: DeviceId): Replica => {
    const replica: Replica = {
      device,
      operations: new Map(),
      erased: new Set(),
      receipts: new Map(),
      presence: new Map(),
      presenceSeen: new Map(),
      changes: createEvents<DocumentChange>(raise),
      presenceChanges: createEvents<void>(raise),
      fault: undefined,
      closed: false,
    }
    // who comes later gets what the others have, from each of them
    for (const other of replicas.values()) {
      for (const [id, stored] of other.operations) {
        letters.push({ from: other.device, to: device, deliver: () => receive(replica, id, stored) })
      }
    }
    replicas.set(device, replica)
    return replica
  }

  const check = (replica: Replica, signal: AbortSignal | undefined): void => {
    throwIfAborted(signal)
    if (replica.fault !== undefined) throw new MeshError(replica.fault, 'The disk did not take the data.')
  }

  const deliverable = (): number[] =>
    letters.flatMap((letter, index) => (parted.has(pair(letter.from, letter.to)) ? [] : [index]))

  const deliverOne = (): boolean => {
    const open = parted.size === 0 ? undefined : deliverable()
    const count = open?.length ?? letters.length
    if (count === 0) return false
    const picked = randomInt(random, count)
    const index = open?.[picked] ?? picked
    const letter = letters[index]
    const last = letters.pop()
    if (last !== undefined && index < letters.length) letters[index] = last
    letter?.deliver()
    return true
  }

  return {
    get waiting() {
      return letters.length
    },
    document(device) {
      const replica = replicas.get(device) ?? fresh(device)
      replica.closed = false
      replica.changes = createEvents<DocumentChange>(raise)
      replica.presenceChanges = createEvents<void>(raise)
      return {
        device,
        operations: () => replica.operations,
        async write(operations, options = {}) {
          await Promise.resolve()
          check(replica, options.signal)
          const at = clock.now()
          store(
            replica,
            operations.map(({ id, bytes }) => [id, { bytes, author: device, at }] as const),
          )
          emit(replica, { added: operations.map(({ id }) => id), erased: [], author: device })
        },
        async erase(id, options = {}) {
          await Promise.resolve()
          check(replica, options.signal)
          if (replica.operations.get(id)?.author !== device) throw new MeshError('unauthorized', 'Not your own.')
          replica.operations.delete(id)
          replica.erased.add(id)
          emit(replica, { added: [], erased: [id], author: device })
          send(replica, (to) => {
            to.erased.add(id)
            if (to.operations.delete(id)) emit(to, { added: [], erased: [id], author: device })
          })
        },
        changes: { subscribe: (listener) => replica.changes.subscribe(listener) },
        durableOn: (id) => replica.receipts.get(id) ?? new Set(),
        awareness: {
          set(bytes) {
            const told = ++presenceTold
            send(replica, (to) => {
              // the last word counts, whatever came first
              if ((to.presenceSeen.get(device) ?? 0) > told) return
              to.presenceSeen.set(device, told)
              to.presence.set(device, { bytes, at: clock.now() })
              if (!to.closed) to.presenceChanges.emit()
            })
          },
          states: () => replica.presence,
          changes: { subscribe: (listener) => replica.presenceChanges.subscribe(listener) },
        },
        async close() {
          await Promise.resolve()
          replica.closed = true
        },
        failWrites(code) {
          replica.fault = code
        },
        plant(id, bytes, at) {
          store(replica, [[id, { bytes, author: device, at }]])
          emit(replica, { added: [id], erased: [], author: device })
        },
      }
    },
    deliver(count) {
      for (let left = count; left > 0 && deliverOne(); left--);
    },
    deliverAll() {
      while (deliverOne());
    },
    part(a, b) {
      parted.add(pair(a, b))
    },
    join() {
      parted.clear()
    },
  }
}
