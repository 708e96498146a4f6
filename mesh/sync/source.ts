import { hexToBytes } from '@noble/hashes/utils.js'
import {
  abortReason,
  asMeshError,
  MeshError,
  SYNC_HAVE_BEYOND_MAX,
  SYNC_OFFER_MAX,
  SYNC_WINDOW_BYTES,
  type EventSource,
} from '../base/index.ts'
import type { ReaderFrame, SourceChannel } from '../net/index.ts'
import { toHex } from '../wire/index.ts'
import type { Acknowledgements, HeldRow } from './acknowledgements.ts'
import type { DocumentName } from './document.ts'
import type { Documents, StoredEvent } from './documents.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { Presence } from './presence.ts'
import type { Replica } from './replica.ts'
import { createProgress, type Progress } from './serving.ts'

/** What giving documents stands on. */
export interface SourcePorts {
  readonly documents: Documents
  readonly acknowledgements: Acknowledgements
  readonly presence: Presence
  /** Rights may be others now. */
  readonly rights: EventSource<void>
}

/** A document the other device wants: what it has or was sent, and nothing else is remembered of it. */
interface Wanted {
  replica: Replica
  readonly progress: Progress
  /** What it said to hold and is not here yet. */
  readonly beyond: Map<number, number>
  /** Something may be missing there. */
  isDirty: boolean
}

/**
 * Gives another device the documents it may have, as long as the stream lasts: what
 * is there, then what is new. A slow device costs one number a chain and never a
 * queue: what it lacks is read from the log when it grants room.
 * @throws MeshError what ended the stream
 */
export async function serveDocuments(channel: SourceChannel, ports: SourcePorts, signal: AbortSignal): Promise<void> {
  const { documents, acknowledgements, presence, rights } = ports
  const { peer } = channel
  const wanted = new Map<string, Wanted>()
  const unoffered = new Map<string, DocumentName>()
  const offered = new Set<string>()
  const present = new Set<string>()
  let credit = SYNC_WINDOW_BYTES
  /** Rows remembered in all of {@link Wanted.beyond}. */
  let beyondCount = 0
  let failure: MeshError | undefined
  let wake = (): void => {}

  const fail = (error: unknown): void => {
    failure = asMeshError(error)
    wake()
  }

  const mayHave = (name: DocumentName): boolean => documents.mayKeep(peer, name.scope)

  const forget = (key: string, want: Wanted): void => {
    wanted.delete(key)
    beyondCount -= want.beyond.size
  }

  const considerAll = (): void => {
    for (const name of documents.list()) {
      const key = documentKey(name)
      if (mayHave(name) && !offered.has(key)) unoffered.set(key, name)
    }
    // what it may not have any more is not sent from now on
    for (const [key, want] of wanted) if (!mayHave(want.replica.name)) forget(key, want)
    wake()
  }

  const onStored = ({ replica, from, envelopes }: StoredEvent): void => {
    const want = wanted.get(replica.key)
    if (want === undefined) {
      if (mayHave(replica.name) && !offered.has(replica.key)) unoffered.set(replica.key, replica.name)
    } else {
      // one that was empty may have been let go of meanwhile
      want.replica = replica
      if (from === peer) {
        const { sent } = want.progress
        for (const { chain, head } of envelopes)
          if ((sent.get(chain) ?? 0) === head.sequence - 1) sent.set(chain, head.sequence)
      }
      noteBeyond(want, envelopes)
      want.isDirty = true
    }
    wake()
  }

  /** Notes what the other device says that it holds; of what is not here yet a bounded piece is remembered. */
  const note = async (want: Wanted, rows: Iterable<HeldRow>): Promise<void> => {
    for (const [chain, sequence] of await acknowledgements.note(want.replica, peer, rows)) {
      if (beyondCount >= SYNC_HAVE_BEYOND_MAX) return
      if (!want.beyond.has(chain)) beyondCount += 1
      want.beyond.set(chain, sequence)
    }
  }

  /** What came here meanwhile, the other device has had. */
  const noteBeyond = (want: Wanted, stored: StoredEvent['envelopes']): void => {
    const rows = new Map<number, number>()
    for (const { chain } of stored) {
      const told = want.beyond.get(chain)
      if (told !== undefined) rows.set(chain, told)
    }
    for (const [chain, told] of rows) {
      want.beyond.delete(chain)
      const held = Math.min(told, want.replica.heldOf(chain))
      if (held > (want.progress.sent.get(chain) ?? 0)) want.progress.sent.set(chain, held)
    }
    beyondCount -= rows.size
    if (rows.size > 0) note(want, rows).catch(fail)
  }

  const offerSome = async (): Promise<void> => {
    const offers: { name: DocumentName; digest: Uint8Array }[] = []
    for (const [key, name] of unoffered) {
      unoffered.delete(key)
      offered.add(key)
      const replica = await channel.work(() => documents.replica(key, { signal }), { signal })
      if (replica !== undefined && replica.vector().size > 0)
        offers.push({ name, digest: hexToBytes(replica.digest()) })
      else offered.delete(key)
      if (offers.length === SYNC_OFFER_MAX) break
    }
    if (offers.length > 0) await channel.write({ type: 'offers', offers }, { signal })
  }

  const sendSome = async (want: Wanted): Promise<void> => {
    const { replica, progress } = want
    // before it is read: what is stored meanwhile makes it dirty again
    want.isDirty = false
    const { envelopes, more } = await channel.work(() => replica.next(progress, { signal }), { signal })
    const document = hexToBytes(replica.key)
    if (envelopes.length > 0) {
      credit -= envelopes.reduce((sum, one) => sum + one.byteLength, 0)
      await channel.write({ type: 'envelopes', document, envelopes: [...envelopes] }, { signal })
    }
    if (more) want.isDirty = true
    else await channel.write({ type: 'complete', document }, { signal })
  }

  const sendPresence = async (key: string): Promise<void> => {
    present.delete(key)
    const frame = await channel.work(() => presence.frameFor(key, peer, { signal }), { signal })
    if (frame !== undefined) await channel.write({ type: 'presence', document: hexToBytes(key), ...frame }, { signal })
  }

  /** One piece of work, or false when there is none. */
  const step = async (): Promise<boolean> => {
    const [here] = present
    if (here !== undefined) await sendPresence(here)
    else if (unoffered.size > 0) await offerSome()
    else {
      const entry = credit > 0 ? [...wanted].find(([, want]) => want.isDirty) : undefined
      if (entry === undefined) return false
      const [key, want] = entry
      // to the end of the line, so that no document starves another
      wanted.delete(key)
      wanted.set(key, want)
      await sendSome(want)
    }
    return true
  }

  const pump = async (): Promise<void> => {
    for (;;) {
      if (failure !== undefined) throw failure
      if (signal.aborted) throw abortReason(signal)
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      if (!(await step())) await woken
    }
  }

  const onWant = async ({
    name: told,
    vector,
    digest,
    ends,
    without,
  }: Extract<ReaderFrame, { type: 'want' }>): Promise<void> => {
    const name = documentName.safeParse(told)
    if (!name.success) throw new MeshError('malformed', 'This is no name of a document.')
    const key = documentKey(name.data)
    const replica = mayHave(name.data) ? await documents.replica(key, { signal }) : undefined
    // absent, empty and forbidden look the same
    if (replica === undefined || (replica.vector().size === 0 && !replica.isOpen())) return
    if (digest !== undefined && toHex(digest) !== replica.digest()) {
      unoffered.set(key, name.data)
      return
    }
    const rows = digest === undefined ? (vector ?? []) : [...replica.vector()]
    // chains that are not here are remembered within bounds only
    const has = rows.filter(([chain]) => replica.heldOf(chain) > 0)
    const progress = createProgress(has, { without, takesEnds: ends === true })
    const want = { replica, progress, beyond: new Map<number, number>(), isDirty: !replica.isComplete(progress) }
    const before = wanted.get(key)
    if (before !== undefined) forget(key, before)
    wanted.set(key, want)
    await note(want, rows)
  }

  const listen = async (): Promise<void> => {
    for (;;) {
      const frame = await channel.read({ signal })
      if (frame.type === 'want') await onWant(frame)
      else if (frame.type === 'grant') credit = Math.min(SYNC_WINDOW_BYTES, credit + frame.bytes)
      else {
        const want = wanted.get(toHex(frame.document))
        if (want !== undefined) await note(want, frame.vector)
      }
      wake()
    }
  }

  const stops = [
    documents.changes.subscribe(onStored),
    rights.subscribe(considerAll),
    presence.changed.subscribe((key) => {
      present.add(key)
      wake()
    }),
  ]
  const onOver = (): void => {
    wake()
  }
  signal.addEventListener('abort', onOver)
  considerAll()
  for (const key of presence.own()) present.add(key)
  listen().catch(fail)
  try {
    await pump()
  } finally {
    signal.removeEventListener('abort', onOver)
    for (const stop of stops) stop()
  }
}
