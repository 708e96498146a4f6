import { hexToBytes } from '@noble/hashes/utils.js'
import {
  asMeshError,
  FRAME_MAX_BYTES,
  isMeshError,
  MeshError,
  sleep,
  SYNC_AGAIN_MS,
  SYNC_DELAY_MAX_MS,
  SYNC_DELAY_MIN_MS,
  SYNC_GRANT_BYTES,
  SYNC_PROSPECT_MS,
  SYNC_WINDOW_BYTES,
  type Clock,
  type EventSource,
  type Logger,
} from '../base/index.ts'
import type { ReaderChannel, SourceFrame } from '../net/index.ts'
import { toHex } from '../wire/index.ts'
import type { Documents, StoredEvent } from './documents.ts'
import type { Received } from './intake.ts'
import { createOffers, type Offer } from './offers.ts'
import type { Presence } from './presence.ts'
import type { Replica } from './replica.ts'

/** What taking documents stands on. */
export interface ReaderPorts {
  readonly documents: Documents
  readonly presence: Presence
  readonly rights: EventSource<void>
  readonly clock: Clock
  readonly log: Logger
  /** A document is complete as the other device has it. */
  readonly onComplete: (replica: Replica) => void
}

/**
 * Takes documents from another device, as long as the stream lasts. Room is granted
 * and `have` is said only once envelopes are durable here, so a cut loses nothing
 * and the next stream goes on where this one stopped. What is only offered costs
 * memory, and a bounded piece of it.
 * @throws MeshError what ended the stream
 */
export async function readDocuments(channel: ReaderChannel, ports: ReaderPorts, signal: AbortSignal): Promise<void> {
  const { documents, presence, rights, clock, log, onComplete } = ports
  const { peer } = channel
  const wanted = new Map<string, Replica>()
  /** Where something was not taken: asked for again when rights, keys or places are others. */
  const lacking = new Set<string>()
  const offers = createOffers(documents)
  let owed = 0
  let isOver = false
  let hasProgress = false
  let isDelayed = false
  let cancelStuck: (() => void) | undefined
  let cancelAgain: (() => void) | undefined

  const want = async (replica: Replica, digest: Uint8Array | undefined): Promise<void> => {
    wanted.set(replica.key, replica)
    const { name } = replica
    const isSame = digest !== undefined && toHex(digest) === replica.digest()
    const has = isSame ? { digest } : { vector: [...replica.vector()].map(([a, b]): [number, number] => [a, b]) }
    const without = [...replica.declined(peer)]
    await channel.write(
      { type: 'want', name, ...has, ends: true, ...(without.length === 0 ? {} : { without }) },
      { signal },
    )
    if (isSame) complete(replica)
  }

  /** Asks for what was offered; what is not held here is given a place in memory first. */
  const ask = async (offer: Offer): Promise<void> => {
    const held = documents.holds(offer.key)
      ? await channel.work(() => documents.replica(offer.key, { signal }), { signal })
      : undefined
    if (held !== undefined) {
      await want(held, offer.digest)
      return
    }
    const replica = await channel.work(() => documents.adopt(offer.name, { signal }), { signal })
    offers.began(replica, offer)
    if (isOver) offers.close()
    else await want(replica, offer.digest)
  }

  const askForSome = async (): Promise<void> => {
    for (const offer of offers.due()) await ask(offer)
    if (offers.areLeftOut) throw new MeshError('aborted', 'The rest of what the other device offered is next.')
    if (offers.areStuck) cancelStuck ??= clock.schedule(SYNC_PROSPECT_MS, onStuck)
  }

  const inBackground = (work: Promise<void>, what: string): void => {
    work.catch((error: unknown) => {
      log.debug(what, { reason: asMeshError(error).message })
    })
  }

  const onStuck = (): void => {
    cancelStuck = undefined
    if (isOver) return
    if (!hasProgress) offers.endAll()
    hasProgress = false
    inBackground(askForSome(), 'more of what was offered could not be asked for')
  }

  const complete = (replica: Replica): void => {
    onComplete(replica)
    if (documents.holds(replica.key)) return
    // nothing of it could be taken: no place is held for it
    wanted.delete(replica.key)
    offers.ended(replica, lacking.delete(replica.key))
  }

  const onEnvelopes = async (replica: Replica, envelopes: readonly Uint8Array[]): Promise<void> => {
    for (let pauseMs = SYNC_DELAY_MIN_MS; ; pauseMs = Math.min(pauseMs * 2, SYNC_DELAY_MAX_MS)) {
      const received = await channel.work(() => replica.receive(envelopes, peer, { signal }), { signal })
      await onReceived(replica, received)
      if (received.delayMs === 0) return
      // nothing else is read meanwhile: the other device waits for room, and what it has is lost to nobody
      if (!isDelayed) log.warn('a device sent more than it may so soon; the rest is taken bit by bit', { peer })
      isDelayed = true
      await sleep(clock, Math.max(received.delayMs, pauseMs), { signal })
    }
  }

  const onReceived = async (replica: Replica, received: Received): Promise<void> => {
    if (received.refused > 0 || received.waiting > 0) lacking.add(replica.key)
    const chains = new Set(received.stored.map(({ chain }) => chain))
    if (chains.size === 0) return
    hasProgress = true
    offers.kept(replica)
    const held = replica.vector()
    const vector = [...chains].map((chain): [number, number] => [chain, held.get(chain) ?? 0])
    await channel.write({ type: 'have', document: hexToBytes(replica.key), vector }, { signal })
  }

  /** Room for as much as was taken. Who sends beyond its room does not wait for anybody. */
  const grant = async (): Promise<void> => {
    if (owed > SYNC_WINDOW_BYTES + FRAME_MAX_BYTES)
      throw new MeshError('malformed', 'The other device sent more than it had room for.', { fault: 'peer' })
    if (owed < SYNC_GRANT_BYTES) return
    const bytes = owed
    owed = 0
    await channel.write({ type: 'grant', bytes }, { signal })
  }

  const askAgain = (replica: Replica): void => {
    inBackground(want(replica, undefined), 'a document could not be asked for again')
  }

  const again = (): void => {
    for (const replica of wanted.values()) if (lacking.has(replica.key) || replica.hasTakeable(peer)) askAgain(replica)
    lacking.clear()
    offers.reconsider()
    inBackground(askForSome(), 'a document could not be asked for')
  }
  /** An end that was told may be what something was not taken for. */
  const onStored = ({ replica, envelopes }: StoredEvent): void => {
    if (!wanted.has(replica.key) || !envelopes.some(({ head }) => head.ends !== undefined)) return
    cancelAgain ??= clock.schedule(SYNC_AGAIN_MS, () => {
      cancelAgain = undefined
      for (const one of wanted.values()) if (one.hasTakeable(peer)) askAgain(one)
    })
  }
  const onDamaged = (key: string): void => {
    const replica = wanted.get(key)
    if (replica !== undefined) inBackground(want(replica, undefined), 'a damaged document could not be asked for again')
  }
  const stops = [
    rights.subscribe(again),
    documents.places.subscribe(again),
    documents.changes.subscribe(onStored),
    documents.damages.subscribe(onDamaged),
  ]

  const onFrame = async (frame: SourceFrame): Promise<void> => {
    if (frame.type === 'offers') {
      for (const offer of frame.offers) offers.take(offer)
      await askForSome()
      return
    }
    const replica = wanted.get(toHex(frame.document))
    if (frame.type === 'envelopes') {
      owed += frame.envelopes.reduce((sum, one) => sum + one.byteLength, 0)
      // what was not asked for is not looked at
      if (replica !== undefined) await onEnvelopes(replica, frame.envelopes)
      await grant()
    } else if (frame.type === 'complete') {
      if (replica !== undefined) complete(replica)
      await askForSome()
    } else if (replica !== undefined) await channel.work(() => presence.hear(replica.name, peer, frame), { signal })
  }

  try {
    for (;;) await onFrame(await channel.read({ signal }))
  } finally {
    isOver = true
    cancelStuck?.()
    cancelAgain?.()
    for (const stop of stops) stop()
    offers.close()
  }
}

/** True when a stream ended in a way that says nothing about the other device. */
export function isOrdinaryEnd(error: unknown): boolean {
  return isMeshError(error, 'peer-gone') || isMeshError(error, 'aborted') || isMeshError(error, 'unsupported')
}
