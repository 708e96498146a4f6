import {
  asMeshError,
  createEvents,
  MeshError,
  SYNC_OVER_MS,
  type DeviceId,
  type DocumentId,
  type EventSource,
  type ScopeId,
} from '../base/index.ts'
import { loadAbsences } from './absences.ts'
import { loadBudgets } from './budgets.ts'
import type { Document, DocumentKind, DocumentName, Quarantine } from './document.ts'
import { dropDocumentLog } from './document-log.ts'
import { documentKey, type EnvelopeHead } from './envelope.ts'
import { dropLateComings } from './late.ts'
import { loadNames } from './name-list.ts'
import { documentName } from './names.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'
import { loadQuarantines } from './quarantines.ts'
import { openReplica, type Replica } from './replica.ts'
import { createWaitingTotals, personsBy } from './waiting.ts'

/** Something became durable here. */
export interface StoredEvent {
  readonly replica: Replica
  /** Who sent it, or this device. */
  readonly from: DeviceId
  /** What others sent. */
  readonly envelopes: readonly {
    readonly chain: number
    readonly head: Pick<EnvelopeHead, 'author' | 'sequence' | 'ends'>
  }[]
}

/** Every document this device keeps. */
export interface Documents {
  readonly self: DeviceId
  /**
   * Opens a document; a new one is kept from its first write on. Several may have it open.
   * @throws MeshError `unauthorized`, `usage`, `storage-failed`, `storage-corrupt`
   */
  open(id: DocumentId, what: { kind: DocumentKind; scope: ScopeId }, options?: Options): Promise<Document>
  /** Names of all that hold something, open or not. */
  list(): readonly DocumentName[]
  readonly changes: EventSource<StoredEvent>
  quarantined(): readonly Quarantine[]
  readonly quarantines: EventSource<Quarantine>
  /** Gives an author another chance. */
  lift(document: DocumentName, author: DeviceId, options?: Options): Promise<void>
  /** The replica by its key, for the session driver: of what holds something, or is open here. */
  replica(key: string, options: Options): Promise<Replica | undefined>
  /**
   * The replica of a name another device told, where this device may keep it. Nothing of it
   * is durable, and nothing counts, before its first envelope was verified. Whoever adopted
   * it says so to {@link Documents.release} in the end.
   * @throws MeshError `unauthorized`, or of the store
   */
  adopt(name: DocumentName, options: Options): Promise<Replica>
  /** Lets go of what was adopted and holds nothing. */
  release(replica: Replica): void
  mayKeep(device: DeviceId, scope: ScopeId): boolean
  /** Whether this device may keep a document of that name: its scope, and that there may be one. */
  mayTake(name: DocumentName): boolean
  holds(key: string): boolean
  /** Entries of a document were found damaged, by its key: other devices are to be asked for it again. */
  readonly damages: EventSource<string>
  /** The document is kept no more: its key. */
  readonly dropped: EventSource<string>
  /** There may be a place again for a document that found none. */
  readonly places: EventSource<void>
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
  stop(): void
}

interface Loaded {
  readonly loading: Promise<Replica>
  /** Who adopted it. */
  users: number
}

/** The documents of this device's store. */
export async function createDocuments(ports: SyncPorts, options: Options = {}): Promise<Documents> {
  const { writers, signer, log, clock } = ports
  const quarantines = await loadQuarantines(ports, options)
  const names = await loadNames(ports, options)
  const budgets = await loadBudgets(ports, options)
  const absences = await loadAbsences(ports, options)
  const waitingTotals = createWaitingTotals(personsBy(writers))
  const replicas = new Map<string, Loaded>()
  const stopped = new AbortController()
  const onError = (error: unknown): void => {
    log.error('a listener of documents failed', { error })
  }
  const changes = createEvents<StoredEvent>(onError)
  const dropped = createEvents<string>(onError)
  const damages = createEvents<string>(onError)

  const mayKeep = (device: DeviceId, scope: ScopeId): boolean =>
    writers.mayRead(device, scope) || writers.mayStore(device, scope)
  const mayTake = (name: DocumentName): boolean => mayKeep(signer.id, name.scope) && writers.mayExist?.(name) !== false

  const openOne = async (key: string, name: DocumentName): Promise<Replica> => {
    const place = {
      isTaken: () => names.has(key),
      isOpenTo: (author: DeviceId) => names.has(key) || names.hasPlaceFor(author),
      take: (author: DeviceId, how: Options) => names.claim(name, author, how),
    }
    const onStored = (replica: Replica, from: DeviceId, envelopes: StoredEvent['envelopes']): void => {
      changes.emit({ replica, from, envelopes })
    }
    const onDamaged = (): void => {
      damages.emit(key)
    }
    const given = {
      ...{ ports, quarantines, budgets, absences, waitingTotals, place },
      ...{ onStored, onDamaged, stopped: stopped.signal },
    }
    const replica = await openReplica(name, given, {})
    // named by an earlier version for an offer alone, or by a write that a power cut stopped
    if (names.has(key) && replica.vector().size === 0 && !replica.isDamaged()) {
      await names.forget(key, {})
      dropped.emit(key)
    } else if (replica.vector().size > 0) await names.restore(name, {})
    return replica
  }

  const load = (key: string, name: DocumentName): Loaded => {
    const known = replicas.get(key)
    if (known !== undefined) return known
    // not bound to the signal of who asked first: others wait for the same
    const loaded: Loaded = { loading: openOne(key, name), users: 0 }
    replicas.set(key, loaded)
    loaded.loading.catch(() => replicas.delete(key))
    return loaded
  }

  const letGo = (replica: Replica): void => {
    const { key } = replica
    if (replicas.get(key)?.users === 0 && !names.has(key) && !replica.isOpen()) {
      replicas.delete(key)
      replica.forgetWaiting()
    }
  }

  const adopt: Documents['adopt'] = async (name) => {
    if (!mayKeep(signer.id, name.scope))
      throw new MeshError('unauthorized', 'This device may neither read nor keep this document.')
    const loaded = load(documentKey(name), name)
    loaded.users += 1
    return loaded.loading
  }

  const release = (replica: Replica): void => {
    const loaded = replicas.get(replica.key)
    if (loaded === undefined || loaded.users === 0) return
    loaded.users -= 1
    letGo(replica)
  }

  /** Looks at what an earlier version named, which it did for offers alone. */
  const lookThrough = async (key: string): Promise<void> => {
    const name = names.get(key)
    if (name === undefined) return
    const replica = await load(key, name).loading
    if (names.has(key)) await names.confirm(key, {})
    else letGo(replica)
  }

  /** What a removed person left is nobody's to read: devices that only kept it let it go after a while. */
  const letGoOfOver = async (key: string): Promise<void> => {
    const name = names.get(key)
    if (name === undefined || writers.isOver === undefined) return
    const since = names.overSince(key)
    const isOver = writers.isOver(name.scope) && !writers.mayRead(signer.id, name.scope)
    if (!isOver) {
      if (since !== undefined) await names.noteOver(key, undefined, {})
    } else if (since === undefined) await names.noteOver(key, clock.now(), {})
    else if (clock.now() - since > SYNC_OVER_MS && (replicas.get(key)?.users ?? 0) === 0) {
      await names.forget(key, {})
      replicas.delete(key)
      await dropDocumentLog(ports, key, {})
      await dropLateComings(ports, key, {})
      dropped.emit(key)
    }
  }

  /** One pass over all at a time; asked for again meanwhile, it follows. */
  let sweeping: Promise<void> | undefined
  let again = false
  const isAskedAgain = (): boolean => again
  const sweep = async (): Promise<void> => {
    do {
      again = false
      for (const key of names.unsure()) {
        if (stopped.signal.aborted) return
        await lookThrough(key)
      }
      if (writers.isOver === undefined) return
      for (const name of names.all()) {
        if (stopped.signal.aborted) return
        await letGoOfOver(documentKey(name))
      }
    } while (isAskedAgain())
  }
  const startSweep = (): void => {
    again = true
    sweeping ??= sweep()
      .catch((error: unknown) => {
        log.warn('documents could not be cleaned up; it is tried again', { reason: asMeshError(error).message })
      })
      .finally(() => {
        sweeping = undefined
      })
  }

  const stopKeys = ports.keyring.changes.subscribe(() => {
    for (const { loading } of replicas.values()) {
      loading
        .then((replica) => replica.keysChanged())
        .catch((error: unknown) => {
          log.warn('a document could not be read with its new key', { reason: asMeshError(error).message })
        })
    }
    startSweep()
  })
  startSweep()

  return {
    self: signer.id,
    changes,
    damages,
    dropped,
    places: names.places,
    mayKeep,
    mayTake,
    adopt,
    release,
    holds: (key) => names.has(key),
    quarantines: quarantines.changes,
    quarantined: quarantines.all,
    async open(id, { kind, scope }, how = {}) {
      const name = documentName.safeParse({ id, kind, scope })
      if (!name.success) throw new MeshError('usage', 'This is no name of a document.')
      if (!writers.mayRead(signer.id, scope))
        throw new MeshError('unauthorized', 'This device may not read this document.')
      const replica = await adopt(name.data, how)
      try {
        return await replica.open(how)
      } finally {
        release(replica)
      }
    },
    list: () => names.all(),
    async lift(document, author, how = {}) {
      await quarantines.lift(document, author, how)
      await (await load(documentKey(document), document).loading).keysChanged()
    },
    async replica(key) {
      const name = names.get(key)
      if (name === undefined) return replicas.get(key)?.loading
      const replica = await load(key, name).loading
      if (names.has(key) || replica.isOpen()) return replica
      letGo(replica)
      return undefined
    },
    async idle() {
      await sweeping
      for (const { loading } of replicas.values()) await (await loading).idle()
    },
    stop() {
      stopped.abort()
      stopKeys()
      budgets.close()
      absences.close()
    },
  }
}
