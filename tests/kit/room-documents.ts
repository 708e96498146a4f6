import {
  createEvents,
  MeshError,
  randomInt,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type ErrorCode,
  type EventHub,
  type EventSource,
  type Random,
} from '../../mesh/base/index.ts'
import {
  createVersions,
  noChange,
  type DocumentChange,
  type RoomDocument,
  type Version,
  type Versions,
} from '../../mesh/state/index.ts'

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
  /**
   * Puts an operation in as another member's device would, without asking this one; also under an id that is
   * taken. With `late` as a removed device's, that nobody had before.
   */
  plant(id: string, bytes: Uint8Array, at: number, timing?: 'late'): void
  /** Takes back one of the operations that were put in under an id, picked by the random source; the others stay. */
  takeBackOne(id: string): void
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
  /** Something came into a replica, open or not. */
  readonly came: EventSource<{ readonly to: DeviceId; readonly author: DeviceId }>
  /** Another text whenever a replica holds something else. */
  version(device: DeviceId): string
}

interface Replica {
  readonly device: DeviceId
  readonly versions: Versions
  /** Entries that were erased. */
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
  let writes = 0
  const pair = (a: DeviceId, b: DeviceId): string => [a, b].sort().join(' ')
  const raise = (error: unknown): never => {
    throw error
  }

  const came = createEvents<{ readonly to: DeviceId; readonly author: DeviceId }>(raise)

  const send = (from: Replica, act: (to: Replica) => void): void => {
    for (const to of replicas.values()) {
      if (to === from) continue
      letters.push({ from: from.device, to: to.device, deliver: () => act(to) })
    }
  }

  const emit = (replica: Replica, change: DocumentChange): void => {
    if (!replica.closed) replica.changes.emit(change)
  }

  const receive = (to: Replica, id: string, version: Version): void => {
    // an erasure may overtake what it erases
    if (to.erased.has(version.entry)) return
    const change = noChange()
    to.versions.add(id, version, change)
    if (change.added.size > 0) came.emit({ to: to.device, author: version.author })
    if (change.added.size > 0)
      emit(to, { added: [...change.added], erased: [...change.erased], author: version.author })
    send(to, (other) => {
      const holders = other.receipts.get(id) ?? new Set()
      other.receipts.set(id, holders.add(to.device))
      emit(other, { added: [], erased: [], author: to.device })
    })
  }

  const forget = (at: Replica, entries: readonly string[], author: DeviceId): void => {
    const change = noChange()
    for (const entry of entries) {
      at.erased.add(entry)
      at.versions.remove(entry, change)
    }
    if (change.erased.size > 0) emit(at, { added: [...change.added], erased: [...change.erased], author })
  }

  const erase = (replica: Replica, entries: readonly string[]): void => {
    forget(replica, entries, replica.device)
    send(replica, (to) => {
      forget(to, entries, replica.device)
    })
  }

  /** What is written together has the same first part of its entries, and stands there in its order. */
  const store = (
    replica: Replica,
    operations: readonly { readonly id: string; readonly bytes: Uint8Array }[],
    at: number,
    timing?: 'late',
  ): void => {
    const write = (writes++).toString(36).padStart(6, '0')
    // which of two is first must not hang on when they were written
    const place = `${String(randomInt(random, 10))}${write}`
    const change = noChange()
    const versions = operations.map(({ id, bytes }, index) => {
      const version = { bytes, author: replica.device, at, entry: `${place}-${String(index).padStart(4, '0')}`, timing }
      replica.versions.add(id, version, change)
      return [id, version] as const
    })
    for (const [id, version] of versions) {
      send(replica, (to) => {
        receive(to, id, version)
      })
    }
    emit(replica, { added: [...change.added], erased: [...change.erased], author: replica.device })
  }

  const fresh = (device: DeviceId): Replica => {
    const replica: Replica = {
      device,
      versions: createVersions(),
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
      for (const id of other.versions.standing.keys())
        for (const version of other.versions.allOf(id))
          letters.push({ from: other.device, to: device, deliver: () => receive(replica, id, version) })
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
    came,
    version(device) {
      const { versions, erased } = replicas.get(device) ?? fresh(device)
      return versions.standing.size === 0 ? '' : `${String(versions.standing.size)} ${String(erased.size)}`
    },
    document(device) {
      const replica = replicas.get(device) ?? fresh(device)
      replica.closed = false
      replica.changes = createEvents<DocumentChange>(raise)
      replica.presenceChanges = createEvents<void>(raise)
      return {
        device,
        operations: () => replica.versions.standing,
        isOneWrite(first, second) {
          const { standing, isAlone } = replica.versions
          const [write, index] = standing.get(first)?.entry.split('-') ?? []
          const next = `${String(write)}-${String(Number(index) + 1).padStart(4, '0')}`
          return isAlone(first) && isAlone(second) && standing.get(second)?.entry === next
        },
        async write(operations, options = {}) {
          await Promise.resolve()
          check(replica, options.signal)
          store(replica, operations, clock.now())
        },
        async erase(id, options = {}) {
          await Promise.resolve()
          check(replica, options.signal)
          if (replica.versions.standing.get(id)?.author !== device) throw new MeshError('unauthorized', 'Not your own.')
          erase(
            replica,
            replica.versions.allOf(id).map(({ entry }) => entry),
          )
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
        plant(id, bytes, at, timing) {
          store(replica, [{ id, bytes }], at, timing)
        },
        takeBackOne(id) {
          const all = replica.versions.allOf(id)
          const version = all[randomInt(random, Math.max(1, all.length))]
          if (version !== undefined) erase(replica, [version.entry])
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
