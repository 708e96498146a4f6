import {
  asId,
  createEvents,
  MeshError,
  type Clock,
  type DeviceId,
  type EntryHash,
  type Logger,
  type Random,
  type ScopeId,
  type Store,
} from './base/index.ts'
import {
  authorize,
  scopeId,
  scopeOf,
  type DeviceKey,
  type Membership,
  type Scope,
  type ScopeId as LedgerScope,
} from './identity/index.ts'
import { isChatDocument } from './chat-documents.ts'
import { personEverOf } from './device-people.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import { openSync, type Links } from './net/index.ts'
import { isRoomDocument } from './room-documents.ts'
import {
  createDocuments,
  createSyncer,
  type Decoder,
  type DocumentName,
  type Documents,
  type Keyring,
  type Syncer,
  type SyncLinks,
  type Writers,
} from './sync/index.ts'
import { isKeyGiven, writingEndIn } from './writing-ends.ts'

interface SharingPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly key: DeviceKey
  readonly membership: Membership
  readonly epochs: KeptEpochs
  readonly links: Links
  readonly decoder: Decoder
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Documents that this device shares with others by the rights of the ledger. */
export interface Sharing {
  readonly documents: Documents
  readonly syncer: Syncer
  start(): void
  stop(): Promise<void>
}

/** Documents, their keys and their rights, over the links of the mesh. */
export async function createSharing(ports: SharingPorts, options: Cancellable = {}): Promise<Sharing> {
  const { store, clock, random, membership, epochs, links, decoder, key } = ports
  const log = ports.log.child('sharing')
  const onListenerError = (error: unknown): void => {
    log.error('a listener of shared documents failed', { error })
  }
  const keysOrRights = createEvents<void>(onListenerError)
  const linkChanges = createEvents<void>(onListenerError)
  const ends = [
    epochs.changes.subscribe(() => {
      keysOrRights.emit()
    }),
    membership.changes.subscribe(() => {
      keysOrRights.emit()
      linkChanges.emit()
    }),
    links.changes.subscribe(() => {
      linkChanges.emit()
    }),
  ]

  const keyring: Keyring = {
    changes: keysOrRights,
    current: (scope, cancel) => epochs.current(ledgerScope(scope), cancel),
    get: (scope, epoch) => epochs.get(ledgerScope(scope), epoch),
  }
  const syncPorts = {
    ...{ store, clock, random, log, keyring, decoder },
    signer: key,
    writers: createWriters(membership),
  }
  const documents = await createDocuments(syncPorts, options)

  const reachable = (): DeviceId[] =>
    membership
      .members()
      .map((member) => member.id)
      .filter((id) => id !== membership.self && membership.admitted(id) !== undefined)
      .filter((id) => links.view(id).state === 'online' && membership.mayCall(id, 'store'))

  const syncLinks: SyncLinks = {
    linked: reachable,
    changes: linkChanges,
    async open(peer, { signal }) {
      const channel = await openSync(links.connection(peer), { clock }, { signal })
      // whoever loses the right to keep documents is not read from any longer either
      const look = (): void => {
        if (!membership.mayCall(peer, 'store'))
          channel.abort(new MeshError('unauthorized', 'The role of this device does not allow it any more.'))
      }
      const end = membership.changes.subscribe(look)
      channel.over.addEventListener('abort', end, { once: true })
      look()
      return channel
    },
  }
  const syncer = createSyncer({ documents, links: syncLinks, ports: syncPorts })

  return {
    documents,
    syncer,
    start() {
      syncer.start()
    },
    async stop() {
      for (const end of ends) end()
      await syncer.stop()
      documents.stop()
      await decoder.close()
    },
  }
}

/** Who may do what with the documents of a scope, by the ledger as it is now. */
function createWriters(membership: Membership): Writers {
  const objectFor = (
    device: DeviceId,
    scope: Scope,
  ): 'mesh' | 'own-person' | 'other-person' | 'own-room' | 'other-room' => {
    const state = membership.state()
    const person = state.devices.get(device)?.person
    switch (scope.kind) {
      case 'mesh':
        return 'mesh'
      case 'person':
        return scope.person === person ? 'own-person' : 'other-person'
      case 'room':
        return person !== undefined && state.rooms.get(scope.room)?.people.has(person) === true
          ? 'own-room'
          : 'other-room'
    }
  }
  const may = (device: DeviceId, action: 'read' | 'write' | 'store', scope: ScopeId): boolean => {
    const known = scopeId.safeParse(scope)
    if (!known.success) return false
    return authorize(membership.subject(device), action, objectFor(device, scopeOf(known.data))).allowed
  }
  return {
    mayWrite: (device, scope) => may(device, 'write', scope),
    mayRead: (device, scope) => may(device, 'read', scope),
    // a person's and a room's envelopes are kept by whom they are open to, and by helpers that read nothing
    mayStore: (device, scope) =>
      may(device, 'store', scope) && (may(device, 'read', scope) || membership.subject(device) === 'helper-only'),
    mayExist: (name) => mayExist(membership, name),
    personOf: (device) => personEverOf(device, membership.ledger()),
    isOver(scope) {
      const known = scopeId.safeParse(scope)
      const parts = known.success ? scopeOf(known.data) : undefined
      const person = parts?.kind === 'person' ? membership.state().people.get(parts.person) : undefined
      return person !== undefined && person.removedAt !== null
    },
    endOf: (device, scope) =>
      writingEndIn(membership.ledger(), {
        ...{ device, scope: ledgerScope(scope), self: membership.self },
        mayWrite: (other) => may(other, 'write', scope),
      }),
    mayHaveWritten(device, scope, epoch) {
      const state = membership.state()
      const held = state.epochs.get(ledgerScope(scope))?.find((one) => one.id === asId<EntryHash>(epoch))
      return held !== undefined && isKeyGiven(device, held, state)
    },
  }
}

/** Whether this mesh has, or may have, a document of that name: one a room, and one a chat of a person who belongs. */
function mayExist(membership: Membership, { id, kind, scope }: DocumentName): boolean {
  const known = scopeId.safeParse(scope)
  if (!known.success || kind !== 'operations') return false
  const state = membership.state()
  const parts = scopeOf(known.data)
  if (parts.kind === 'room') return isRoomDocument(id, parts.room) && state.rooms.has(parts.room)
  if (parts.kind !== 'person' || !isChatDocument(id, membership.ledger().mesh)) return false
  return state.people.get(parts.person)?.removedAt === null
}

function ledgerScope(scope: ScopeId): LedgerScope {
  const known = scopeId.safeParse(scope)
  if (!known.success) throw new MeshError('bug', 'This is no scope.')
  return known.data
}
