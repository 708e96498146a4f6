import { hexToBytes } from '@noble/hashes/utils.js'
import {
  asMeshError,
  isMeshError,
  SYNC_GRANT_BYTES,
  SYNC_OFFER_MAX,
  type EventSource,
  type Logger,
} from '../base/index.ts'
import type { ReaderChannel, SourceFrame } from '../net/index.ts'
import { toHex } from '../wire/index.ts'
import type { Documents } from './documents.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { Presence } from './presence.ts'
import type { Replica } from './replica.ts'

/** What taking documents stands on. */
export interface ReaderPorts {
  readonly documents: Documents
  readonly presence: Presence
  readonly rights: EventSource<void>
  readonly log: Logger
  /** A document is complete as the other device has it. */
  readonly onComplete: (replica: Replica) => void
}

type Offer = Extract<SourceFrame, { type: 'offers' }>['offers'][number]

/**
 * Takes documents from another device, as long as the stream lasts. Room is granted
 * and `have` is said only once envelopes are durable here, so a cut loses nothing
 * and the next stream goes on where this one stopped.
 * @throws MeshError what ended the stream
 */
export async function readDocuments(channel: ReaderChannel, ports: ReaderPorts, signal: AbortSignal): Promise<void> {
  const { documents, presence, rights, log, onComplete } = ports
  const { peer } = channel
  const wanted = new Map<string, Replica>()
  /** Where something was not taken: asked for again when rights or keys are others. */
  const lacking = new Set<string>()
  /**
   * Offers this device had no right to when they came: the entry that gives it may be on its way
   * over another stream, and an offer is made once. Bounded: the oldest goes.
   */
  const early = new Map<string, Offer>()
  let owed = 0

  const want = async (replica: Replica, digest: Uint8Array | undefined): Promise<void> => {
    wanted.set(replica.key, replica)
    const { name } = replica
    const isSame = digest !== undefined && toHex(digest) === replica.digest()
    await channel.write(
      { type: 'want', name, ...(isSame ? { digest } : { vector: [...replica.vector()].map(([a, b]) => [a, b]) }) },
      { signal },
    )
    if (isSame) onComplete(replica)
  }

  const onOffer = async ({ name: told, digest }: Offer): Promise<void> => {
    const name = documentName.safeParse(told)
    // a kind of a newer version is not for this one
    if (!name.success) return
    if (!documents.mayKeep(documents.self, name.data.scope)) {
      early.set(documentKey(name.data), { name: told, digest })
      const [oldest] = early.keys()
      if (early.size > SYNC_OFFER_MAX && oldest !== undefined) early.delete(oldest)
      return
    }
    await want(await documents.adopt(name.data, { signal }), digest)
  }

  const onEnvelopes = async (replica: Replica, envelopes: readonly Uint8Array[]): Promise<void> => {
    const received = await replica.receive(envelopes, peer, { signal })
    if (received.refused > 0 || received.waiting > 0) lacking.add(replica.key)
    const chains = new Set(received.stored.map(({ chain }) => chain))
    if (chains.size > 0) {
      const held = replica.vector()
      const vector = [...chains].map((chain): [number, number] => [chain, held.get(chain) ?? 0])
      await channel.write({ type: 'have', document: hexToBytes(replica.key), vector }, { signal })
    }
    owed += envelopes.reduce((sum, one) => sum + one.byteLength, 0)
    if (owed < SYNC_GRANT_BYTES) return
    await channel.write({ type: 'grant', bytes: owed }, { signal })
    owed = 0
  }

  const stop = rights.subscribe(() => {
    for (const key of lacking) {
      const replica = wanted.get(key)
      if (replica === undefined) continue
      want(replica, undefined).catch((error: unknown) => {
        log.debug('a document could not be asked for again', { reason: asMeshError(error).message })
      })
    }
    lacking.clear()
    const offers = [...early.values()]
    early.clear()
    for (const offer of offers) {
      onOffer(offer).catch((error: unknown) => {
        log.debug('a document could not be asked for', { reason: asMeshError(error).message })
      })
    }
  })

  try {
    for (;;) {
      const frame = await channel.read({ signal })
      if (frame.type === 'offers') {
        for (const offer of frame.offers) await onOffer(offer)
        continue
      }
      const replica = wanted.get(toHex(frame.document))
      // what was not asked for is not looked at
      if (replica === undefined) continue
      if (frame.type === 'envelopes') await onEnvelopes(replica, frame.envelopes)
      else if (frame.type === 'complete') onComplete(replica)
      else await presence.hear(replica.name, peer, frame)
    }
  } finally {
    stop()
  }
}

/** True when a stream ended in a way that says nothing about the other device. */
export function isOrdinaryEnd(error: unknown): boolean {
  return isMeshError(error, 'peer-gone') || isMeshError(error, 'aborted') || isMeshError(error, 'unsupported')
}
