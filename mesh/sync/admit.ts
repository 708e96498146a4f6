import { isMeshError, MeshError, SYNC_CHAINS_MAX, throwIfAborted, type DeviceId } from '../base/index.ts'
import type { Chain } from './chain.ts'
import { tellsEnds, type Chains } from './chains.ts'
import { hasClocks } from './clock-ranges.ts'
import type { DecodedUpdate } from './decoder.ts'
import { NO_ENVELOPE, openEnvelope, tellsOnlyEnds, type Envelope } from './envelope.ts'
import { checkContent, type KindDescriptor } from './kinds.ts'
import type { Judged } from './may-come.ts'
import type { Options } from './options.ts'
import type { EpochKey, SyncPorts } from './ports.ts'
import { scanUpdate, type UpdateEntry } from './update.ts'
import type { Waiting } from './waiting.ts'

/** What becomes of an envelope by its head alone. */
export type Judgement =
  | { readonly verdict: 'known' | 'next' | 'waits' }
  /** Not now, and nobody is to blame: its author may have rights that this device has not heard of. */
  | { readonly verdict: 'refused'; readonly reason: 'rights' | 'full' | 'quarantine' }
  /** Signed by its author and against the rules. */
  | { readonly verdict: 'violation'; readonly reason: string }

const KNOWN: Judgement = { verdict: 'known' }
const WAITS: Judgement = { verdict: 'waits' }
const violation = (reason: string): Judgement => ({ verdict: 'violation', reason })

/** True when this exact envelope, or a later one of its chain, is held. */
export function isHeld(chains: Chains, { chain: number, head, hash }: Envelope): boolean {
  const chain = chains.get(number)
  if (chain === undefined || head.sequence > chain.sequence) return false
  return head.sequence < chain.sequence || same(chain.tip, hash)
}

/**
 * True when an author may begin another chain. All devices that a person ever had, removed ones too, have
 * together no more than a quarter of the places that the others leave: who lets devices in and removes them
 * wins none by it, and who comes after a greedy one still has a share. Of what is left to its person a device
 * may have as much as it leaves to the others, so that these have places after one that was stolen; one that
 * may not write any more three times as much: what it wrote comes though a thief took what it could.
 */
export function hasRoomFor(
  author: DeviceId,
  { chains, name, ports: { writers } }: Pick<Judged, 'chains' | 'name'> & { readonly ports: RoomPorts },
): boolean {
  // whosever all of these are, there is room: who wrote them costs nothing then
  if (chains.countOf(author) < Math.ceil(SYNC_CHAINS_MAX / 4) - chains.all.size) return true
  // those that nobody knows count as one person: devices are made up for nothing
  const person = writers.personOf?.(author)
  const isTheirs = (other: DeviceId): boolean =>
    other === author || (writers.personOf !== undefined && writers.personOf(other) === person)
  let ofPerson = 0
  for (const [other, ofOther] of chains.authors()) if (isTheirs(other)) ofPerson += ofOther
  const leftByOthers = SYNC_CHAINS_MAX - (chains.all.size - ofPerson)
  const leftToPerson = Math.ceil(leftByOthers / 4) - ofPerson
  return chains.countOf(author) < leftToPerson * (writers.mayWrite(author, name.scope) ? 1 : 3)
}

interface RoomPorts {
  readonly writers: Pick<SyncPorts['writers'], 'personOf' | 'mayWrite'>
}

/** Judges a verified envelope by its place among those held. Pure. */
export function judge(envelope: Envelope, state: Judged & { readonly waiting: Waiting }): Judgement {
  const { chains, waiting } = state
  const { head } = envelope
  const chain = chains.get(envelope.chain)
  const held = chain?.sequence ?? 0
  if (isHeld(chains, envelope)) return KNOWN
  // a device that forks its chain tells different devices different things
  if (head.sequence === held) return violation('It signed two different envelopes for one place.')
  if (chain === undefined && !hasRoomFor(head.author, state)) return { verdict: 'refused', reason: 'full' }
  if (head.sequence > held + 1) return WAITS
  if (!same(head.previous, chain?.tip ?? NO_ENVELOPE)) return violation('Its envelope does not follow the one before.')
  if (head.from !== (chain?.clock ?? 0)) return violation('Its envelope leaves a gap or goes back.')
  if (!fitsEnds(envelope, chain)) return violation('It tells ends where something else is written.')
  return judgeErasing(envelope, chains, waiting)
}

/**
 * Ends are told in chains of nothing else: they are taken of who is stopped too, and would else be behind what is
 * not, so that one device judged by them and another never heard of them.
 */
function fitsEnds({ head }: Envelope, chain: Chain | undefined): boolean {
  if (head.ends === undefined) return !tellsEnds(chain)
  return tellsOnlyEnds(head) && (chain === undefined || tellsEnds(chain))
}

function judgeErasing(envelope: Envelope, chains: Chains, waiting: Waiting): Judgement {
  const { head, box } = envelope
  for (const { chain: number, clock, count } of head.erases) {
    const target = chains.get(number)
    if (target !== undefined && target.author !== head.author) return violation('It erases what others wrote.')
    if (target !== undefined && clock + count <= target.clock) continue
    if (number === envelope.chain) return violation('It erases what it never wrote.')
    return WAITS
  }
  if (box !== undefined) return { verdict: 'next' }
  // who forwards it says that everything in it was erased: its author has to have said so
  const erased = waiting.erasedBy(head.author, envelope.chain, chains.erasedOf(envelope.chain))
  return head.count > 0 && hasClocks(erased, head.from, head.count) ? { verdict: 'next' } : WAITS
}

/**
 * Opens a foreign envelope and looks at everything in it. Yjs reads it in the
 * decoder's worker; what comes back are plain entries.
 * @throws MeshError `malformed`, `integrity`, `too-large`: its author broke the rules; `timeout`: it killed the decoder, which may be this machine's fault
 */
export async function examine(
  envelope: Envelope,
  epoch: EpochKey,
  kind: KindDescriptor,
  ports: Pick<SyncPorts, 'decoder'>,
  options: Options,
): Promise<readonly UpdateEntry[]> {
  const { head, chain } = envelope
  const place = { chain, clock: head.from, count: head.count }
  const update = await openEnvelope(envelope, epoch.key)
  scanUpdate(update, place)
  return checkContent(kind, place, await decoded(update, ports, options))
}

/** What killed its decoder need not break a rule: the machine may have been out of breath, or of memory. */
async function decoded(
  update: Uint8Array,
  { decoder }: Pick<SyncPorts, 'decoder'>,
  options: Options,
): Promise<DecodedUpdate> {
  try {
    return await decoder.decode(update, options)
  } catch (cause) {
    if (!isMeshError(cause, 'timeout') && !isMeshError(cause, 'too-large')) throw cause
    throw new MeshError('timeout', `It could not be read here: ${cause.message}`, { cause })
  }
}

/** The reason to quarantine an author, or undefined for a failure that is not its. Rethrows a cancel. */
export function violationOf(error: unknown, { signal }: Options): string | undefined {
  throwIfAborted(signal)
  const blamed = (['malformed', 'integrity', 'too-large'] as const).some((code) => isMeshError(error, code))
  return blamed && error instanceof MeshError ? error.message : undefined
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])
}
