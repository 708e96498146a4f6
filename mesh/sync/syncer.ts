import {
  asMeshError,
  createEvents,
  sleep,
  SYNC_RETRY_MAX_MS,
  SYNC_RETRY_MS,
  throwIfAborted,
  type DeviceId,
  type EventSource,
} from '../base/index.ts'
import type { ReaderChannel, SyncHost } from '../net/index.ts'
import { createAcknowledgements, dropAcknowledgements } from './acknowledgements.ts'
import type { DocumentName } from './document.ts'
import type { Documents } from './documents.ts'
import { documentKey } from './envelope.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'
import { createPresence, type Presence } from './presence.ts'
import { isOrdinaryEnd, readDocuments } from './reader.ts'
import { serveDocuments } from './source.ts'

/** Port: the devices linked now, and streams to them. */
export interface SyncLinks {
  linked(): readonly DeviceId[]
  readonly changes: EventSource<void>
  /** Opens a stream to take documents. @throws MeshError `peer-gone`, `unsupported`, `timeout`, `aborted` */
  open(peer: DeviceId, options: { readonly signal: AbortSignal }): Promise<ReaderChannel>
}

/** Keeps documents the same on all linked devices that may have them. */
export interface Syncer {
  /** The side that gives, for the protocol. */
  readonly host: SyncHost
  readonly presence: Presence
  /** A document is as complete here as it was on that device a moment ago. */
  readonly completed: EventSource<{ readonly document: DocumentName; readonly peer: DeviceId }>
  /**
   * Looks up, for any operation of a document, which devices said that it is durable
   * with them, beside this one. Only those that were linked since it was written can
   * have said so. Asked for each message of a room, so what it needs is read once.
   * @throws MeshError `storage-failed`, `storage-corrupt`
   */
  holders(document: DocumentName, options?: Options): Promise<(operation: string) => readonly DeviceId[]>
  /** A device told that it holds more of a document: the document's key. */
  readonly received: EventSource<string>
  start(): void
  /** Ends all sessions and resolves when they are over. */
  stop(): Promise<void>
}

/** A session driver: one stream from each linked device, opened again when it ends. */
export function createSyncer(given: {
  readonly documents: Documents
  readonly links: SyncLinks
  readonly ports: SyncPorts
}): Syncer {
  const { documents, links, ports } = given
  const { log, clock } = ports
  const rights = ports.keyring.changes
  const presence = createPresence(ports)
  const acknowledgements = createAcknowledgements({
    ...{ store: ports.store, clock, log },
    mayKeep: (device, { name }) => documents.mayKeep(device, name.scope),
  })
  const stops = [
    rights.subscribe(() => {
      acknowledgements.rightsChanged()
    }),
    documents.dropped.subscribe((key) => {
      dropAcknowledgements(ports.store, key).catch((error: unknown) => {
        log.warn('what devices hold of a document that is gone was not forgotten', {
          reason: asMeshError(error).message,
        })
      })
    }),
  ]
  const completed = createEvents<{ document: DocumentName; peer: DeviceId }>((error) => {
    log.error('a listener of the syncer failed', { error })
  })
  const stopped = new AbortController()
  const sessions = new Map<DeviceId, Promise<void>>()
  let stopLinks = (): void => {}

  const takeOnce = async (peer: DeviceId): Promise<void> => {
    const channel = await links.open(peer, { signal: stopped.signal })
    const signal = AbortSignal.any([channel.over, stopped.signal])
    const onComplete = ({ name }: { readonly name: DocumentName }): void => {
      completed.emit({ document: name, peer })
    }
    try {
      await readDocuments(channel, { documents, presence, rights, clock, log, onComplete }, signal)
    } catch (error) {
      channel.abort(error)
      throw error
    }
  }

  const isWanted = (peer: DeviceId): boolean => !stopped.signal.aborted && links.linked().includes(peer)

  const take = async (peer: DeviceId): Promise<void> => {
    let pauseMs = SYNC_RETRY_MS
    while (isWanted(peer)) {
      try {
        await takeOnce(peer)
      } catch (error) {
        // who breaks the rules of the stream is not taken up with again at once
        pauseMs = isOrdinaryEnd(error) ? SYNC_RETRY_MS : Math.min(pauseMs * 2, SYNC_RETRY_MAX_MS)
        const { code, message } = asMeshError(error)
        if (isOrdinaryEnd(error)) log.debug('a session of documents ended', { peer, code })
        else log.warn('a session of documents failed', { peer, code, message })
      }
      if (isWanted(peer)) await sleep(clock, pauseMs, { signal: stopped.signal })
    }
  }

  const reconcile = (): void => {
    if (stopped.signal.aborted) return
    for (const peer of links.linked()) {
      if (sessions.has(peer)) continue
      const session = take(peer)
        .catch((error: unknown) => {
          log.debug('a session driver ended', { peer, reason: asMeshError(error).message })
        })
        .finally(() => {
          sessions.delete(peer)
          // it may have been linked anew just then
          reconcile()
        })
      sessions.set(peer, session)
    }
  }

  return {
    presence,
    completed,
    received: acknowledgements.changes,
    host: {
      serve: (channel, { signal }) => {
        throwIfAborted(stopped.signal)
        const either = AbortSignal.any([signal, stopped.signal])
        return serveDocuments(channel, { documents, acknowledgements, presence, rights }, either)
      },
    },
    async holders(document, options = {}) {
      const key = documentKey(document)
      const replica = await documents.replica(key, options)
      if (replica === undefined) return () => []
      const holdings = await acknowledgements.of(replica)
      return (operation) => {
        const place = replica.placeOf(operation)
        return place === undefined ? [] : holdings.holders(place.chain, place.sequence)
      }
    },
    start() {
      stopLinks = links.changes.subscribe(reconcile)
      reconcile()
    },
    async stop() {
      stopLinks()
      stopped.abort()
      presence.stop()
      for (const stop of stops) stop()
      await Promise.all(sessions.values())
      await acknowledgements.stop()
    },
  }
}
