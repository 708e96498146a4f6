import {
  createEvents,
  MeshError,
  type Clock,
  type DeviceId,
  type Logger,
  type Random,
  type ScopeId,
  type Store,
} from './base/index.ts'
import { scopeId, type DeviceKey, type Membership, type ScopeId as LedgerScope } from './identity/index.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import { openSync, type Links } from './net/index.ts'
import {
  createDocuments,
  createSyncer,
  type Decoder,
  type Documents,
  type Keyring,
  type Syncer,
  type SyncLinks,
} from './sync/index.ts'
import { createWriters } from './writers.ts'

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

function ledgerScope(scope: ScopeId): LedgerScope {
  const known = scopeId.safeParse(scope)
  if (!known.success) throw new MeshError('bug', 'This is no scope.')
  return known.data
}
