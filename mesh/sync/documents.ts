import {
  asMeshError,
  createEvents,
  MeshError,
  SYNC_DOCUMENTS_MAX,
  type DeviceId,
  type DocumentId,
  type EventSource,
  type ScopeId,
} from '../base/index.ts'
import { decode, encode } from '../wire/index.ts'
import type { Document, DocumentKind, DocumentName, Quarantine } from './document.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'
import { loadQuarantines } from './quarantines.ts'
import { openReplica, type Replica } from './replica.ts'

const PREFIX = 'sync/name/'

/** Something became durable here. */
export interface StoredEvent {
  readonly replica: Replica
  /** Who sent it, or this device. */
  readonly from: DeviceId
  /** What others sent. */
  readonly envelopes: readonly { readonly chain: number; readonly head: { readonly sequence: number } }[]
}

/** Every document this device keeps. */
export interface Documents {
  readonly self: DeviceId
  /**
   * Opens a document, made here when it is new. Several may have it open.
   * @throws MeshError `unauthorized`, `too-large` (too many), `usage`, `storage-failed`, `storage-corrupt`
   */
  open(id: DocumentId, what: { kind: DocumentKind; scope: ScopeId }, options?: Options): Promise<Document>
  /** Names of all, open or not. */
  list(): readonly DocumentName[]
  readonly changes: EventSource<StoredEvent>
  quarantined(): readonly Quarantine[]
  readonly quarantines: EventSource<Quarantine>
  /** Gives an author another chance. */
  lift(document: DocumentName, author: DeviceId, options?: Options): Promise<void>
  /** The replica by its key, for the session driver. */
  replica(key: string, options: Options): Promise<Replica | undefined>
  /** The replica of a name another device told; made when this device may keep it. @throws as `open` */
  adopt(name: DocumentName, options: Options): Promise<Replica>
  mayKeep(device: DeviceId, scope: ScopeId): boolean
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
  stop(): void
}

/** The documents of this device's store. */
export async function createDocuments(ports: SyncPorts, options: Options = {}): Promise<Documents> {
  const { store, writers, signer, log } = ports
  const quarantines = await loadQuarantines(ports, options)
  const names = new Map<string, DocumentName>()
  const replicas = new Map<string, Promise<Replica>>()
  const changes = createEvents<StoredEvent>((error) => {
    log.error('a listener of documents failed', { error })
  })
  for (const { value } of await store.list(PREFIX, options)) {
    const name = decode(value, documentName, { maxBytes: 1_024, what: 'The name of a document' })
    names.set(documentKey(name), name)
  }

  const mayKeep = (device: DeviceId, scope: ScopeId): boolean =>
    writers.mayRead(device, scope) || writers.mayStore(device, scope)

  const load = (key: string, name: DocumentName): Promise<Replica> => {
    const known = replicas.get(key)
    if (known !== undefined) return known
    const onStored = (replica: Replica, from: DeviceId, envelopes: StoredEvent['envelopes']): void => {
      changes.emit({ replica, from, envelopes })
    }
    // not bound to the signal of who asked first: others wait for the same
    const loading = openReplica(name, { ports, quarantines, onStored }, {})
    replicas.set(key, loading)
    loading.catch(() => replicas.delete(key))
    return loading
  }

  const adopt = async (name: DocumentName, how: Options): Promise<Replica> => {
    const key = documentKey(name)
    if (!mayKeep(signer.id, name.scope))
      throw new MeshError('unauthorized', 'This device may neither read nor keep this document.')
    if (!names.has(key)) {
      if (names.size >= SYNC_DOCUMENTS_MAX)
        throw new MeshError('too-large', `There are more than ${String(SYNC_DOCUMENTS_MAX)} documents.`)
      await store.put(PREFIX + key, encode(name), how)
      names.set(key, name)
    }
    return load(key, name)
  }

  const stopKeys = ports.keyring.changes.subscribe(() => {
    for (const loading of replicas.values()) {
      loading
        .then((replica) => replica.keysChanged())
        .catch((error: unknown) => {
          log.warn('a document could not be read with its new key', { reason: asMeshError(error).message })
        })
    }
  })

  return {
    self: signer.id,
    changes,
    mayKeep,
    adopt,
    quarantines: quarantines.changes,
    quarantined: quarantines.all,
    async open(id, { kind, scope }, how = {}) {
      const name = documentName.safeParse({ id, kind, scope })
      if (!name.success) throw new MeshError('usage', 'This is no name of a document.')
      if (!writers.mayRead(signer.id, scope))
        throw new MeshError('unauthorized', 'This device may not read this document.')
      return (await adopt(name.data, how)).open(how)
    },
    list: () => [...names.values()],
    async lift(document, author, how = {}) {
      await quarantines.lift(document, author, how)
      await (await load(documentKey(document), document)).keysChanged()
    },
    async replica(key) {
      const name = names.get(key)
      return name === undefined ? undefined : load(key, name)
    },
    async idle() {
      for (const loading of replicas.values()) await (await loading).idle()
    },
    stop() {
      stopKeys()
    },
  }
}
