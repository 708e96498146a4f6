import { isMeshError, type DeviceId, type ReadEntry } from '../base/index.ts'
import { examine, violationOf } from './admit.ts'
import { addEnvelope } from './commit.ts'
import type { ContentChange, EnvelopeContent } from './content.ts'
import { openEnvelope, type Envelope } from './envelope.ts'
import { readLogEntry, type LoggedEnvelope } from './log-entry.ts'
import { missingEntries } from './missing.ts'
import type { Options } from './options.ts'
import type { EpochKey } from './ports.ts'
import type { ReplicaState } from './replica-state.ts'
import { decodeUpdate, type UpdateEntry } from './update.ts'

/** Envelopes opened at once: their keys are the platform's, which works on several. */
const AT_ONCE = 256

/**
 * Brings the content up to what the log holds and this device has keys for. Content
 * that was never looked at goes through the decoder now. What breaks the rules shows
 * nothing, and takes nothing else with it: what is shown follows from the envelopes alone.
 */
export async function replay(state: ReplicaState, log: readonly ReadEntry[], options: Options): Promise<ContentChange> {
  const change: ContentChange = { added: new Set(), erased: new Set() }
  for (const isNow of readingOrder(state)) await replayOf(state, log, { isNow, change }, options)
  return change
}

/**
 * Reads what is in the log and not in the content: chains that were held up for lack of a key that is there now,
 * or of breath. Nothing else is read for it, wherever it lies; and nothing that waits to be tried again.
 */
export async function replayHeldUp(state: ReplicaState, options: Options): Promise<ContentChange> {
  const change: ContentChange = { added: new Set(), erased: new Set() }
  for (const isNow of readingOrder(state)) {
    let part: LoggedEnvelope[] = []
    for await (const logged of missingEntries(state, (chain) => heldUpAt(state, chain, isNow), options)) {
      part.push(logged)
      if (part.length < AT_ONCE) continue
      await replayPart(state, part, change, options)
      part = []
    }
    await replayPart(state, part, change, options)
  }
  return change
}

/** Up to where a chain is read that could be read further now; undefined for all others. */
function heldUpAt(
  { content, chains, ports, name, slow }: ReplicaState,
  number: number,
  isNow: IsNow,
): number | undefined {
  const chain = chains.get(number)
  if (content === undefined || chain === undefined || content.applied(number) >= chain.sequence) return undefined
  const { author, epoch } = chain
  if (!isNow(author) || slow.holds(number, author) || ports.keyring.get(name.scope, epoch) === undefined)
    return undefined
  return content.applied(number)
}

/** Whether what an author wrote is read in this pass. */
type IsNow = (author: DeviceId) => boolean

/** Those of whom something was slow come last: they use up their person's tries, and nobody else waits for them. */
function readingOrder({ slow }: ReplicaState): readonly IsNow[] {
  const suspects = slow.suspects()
  return suspects.size === 0 ? [() => true] : [(author) => !suspects.has(author), (author) => suspects.has(author)]
}

async function replayOf(
  state: ReplicaState,
  log: readonly ReadEntry[],
  { isNow, change }: { readonly isNow: IsNow; readonly change: ContentChange },
  options: Options,
): Promise<void> {
  for (let start = 0; start < log.length; start += AT_ONCE) {
    const logged = log
      .slice(start, start + AT_ONCE)
      .flatMap(({ bytes }) => (bytes === undefined ? [] : (readLogEntry(bytes) ?? [])))
      .filter(({ envelope }) => isNow(envelope.head.author))
    await replayPart(state, logged, change, options)
  }
}

async function replayPart(
  state: ReplicaState,
  logged: readonly LoggedEnvelope[],
  change: ContentChange,
  options: Options,
): Promise<void> {
  const wanted = logged.filter(({ envelope }) => isOf(state, envelope))
  const read = await Promise.all(wanted.map((one) => readContent(state, one, options)))
  state.content?.batch(() => {
    wanted.forEach(({ envelope }, index) => {
      addEnvelope(state, { envelope, entries: read[index] }, change)
    })
  })
}

/** A torn write may have left an envelope twice, or one that its chain went on without. */
function isOf({ key, chains, content }: ReplicaState, { head, chain: number }: Envelope): boolean {
  const chain = chains.get(number)
  if (content === undefined || head.document !== key || chain === undefined || head.sequence > chain.sequence)
    return false
  return head.sequence > content.applied(number) || head.erases.length > 0
}

async function readContent(
  state: ReplicaState,
  logged: LoggedEnvelope,
  options: Options,
): Promise<EnvelopeContent | undefined> {
  const { chain, head } = logged.envelope
  if (state.content === undefined || state.content.applied(chain) >= head.sequence) return undefined
  return readEntries(state, logged, options)
}

/** What is in an envelope of the log; undefined where it is hollow, there is no key, or it could not be read this time. */
export async function readEntries(
  state: ReplicaState,
  { checked, envelope }: LoggedEnvelope,
  options: Options,
): Promise<EnvelopeContent | undefined> {
  const { name, ports } = state
  const epoch = ports.keyring.get(name.scope, envelope.head.epoch)
  if (envelope.box === undefined || epoch === undefined) return undefined
  if (checked) return trusted(envelope, epoch)
  const { content } = await examineForeign(envelope, epoch, state, options)
  return content
}

async function trusted(envelope: Envelope, epoch: EpochKey): Promise<UpdateEntry[]> {
  const { structs } = decodeUpdate(await openEnvelope(envelope, epoch.key))
  return structs.flatMap(({ entry }) => entry ?? [])
}

/** What came of looking into a foreign envelope. */
type Examined =
  /** Undefined where it could not be read this time: it holds up its chain, and is read later. */
  | { readonly content: readonly UpdateEntry[] | undefined }
  /** And why nothing of it is shown. */
  | { readonly content: 'void'; readonly reason: string }

/**
 * Looks into a foreign envelope. Whether it breaks the rules follows from itself alone, so that all who can open
 * it say the same, whenever they do. What kills the decoder is not held against it for good: that may have been
 * this machine's fault.
 */
export async function examineForeign(
  envelope: Envelope,
  epoch: EpochKey,
  { kind, ports, slow }: Pick<ReplicaState, 'kind' | 'ports' | 'slow'>,
  options: Options,
): Promise<Examined> {
  const { author } = envelope.head
  // it could not be shown before what holds up its chain
  if (slow.holds(envelope.chain, author)) return { content: undefined }
  const over = slow.signalOf(envelope.chain, author)
  const signal = options.signal === undefined ? over : AbortSignal.any([options.signal, over])
  try {
    return { content: await examine(envelope, epoch, kind, ports, { signal }) }
  } catch (error) {
    const reason = violationOf(error, options)
    if (reason !== undefined) return { content: 'void', reason }
    if (!isMeshError(error, 'timeout')) throw error
    if (!over.aborted) {
      slow.note(envelope.chain, author)
      ports.log.warn('an envelope could not be read here; it is tried again later', { author, error })
    }
    return { content: undefined }
  }
}
