import { sha256 } from '@noble/hashes/sha2.js'
import { hexToBytes } from '@noble/hashes/utils.js'
import * as z from 'zod/mini'
import {
  MeshError,
  SYNC_ENDS_MAX,
  SYNC_ENVELOPE_MAX_BYTES,
  SYNC_ERASES_MAX,
  SYNC_OPERATIONS_MAX,
  SYNC_UPDATE_MAX_BYTES,
  type DeviceId,
  type Random,
} from '../base/index.ts'
import { verifyBy } from '../identity/index.ts'
import { BOX_OVERHEAD_BYTES, type SecretKey } from '../seal/index.ts'
import { bytes, decode, deviceId, encode, exactBytes, list, toHex, whole } from '../wire/index.ts'
import type { DocumentName } from './document.ts'
import type { EnvelopePlace } from './erasings.ts'
import type { Options } from './options.ts'
import type { Signer } from './ports.ts'
import type { ClockRange } from './update.ts'

/** The format: a Yjs update of version 1 in an AES-GCM box. Another number is another format, and refused. */
const FORMAT = 1
/** The same, and the head tells ends of chains. */
const FORMAT_WITH_ENDS = 2
const ID_BYTES = 16
const HASH_BYTES = 32
const SIGNATURE_BYTES = 64
/** Of a chain's number: what a Yjs client id may have and what a number holds exactly. */
const CHAIN_BITS = 53

/** What an envelope says in clear, signed by its author and bound to its box. */
export interface EnvelopeHead {
  /** {@link documentKey} of the document it belongs to. */
  readonly document: string
  readonly author: DeviceId
  /** Chosen by the author for each run; part of what the chain's number is made of. */
  readonly run: Uint8Array
  readonly epoch: string
  /** Place in the chain, from 1, without gaps. */
  readonly sequence: number
  /** First clock of its entries in the chain, and how many entries there are. */
  readonly from: number
  readonly count: number
  /** The author's wall clock, ms since 1970. */
  readonly at: number
  /** Hash of the envelope before it in the chain; zeros for the first. */
  readonly previous: Uint8Array
  /** Own entries that are gone for good; in clear, so that who cannot read may forget them too. */
  readonly erases: readonly ClockRange[]
  /**
   * How far its author holds chains of devices that may not write any more, up to which others may take
   * them too; in clear, so that who cannot read may judge by it. Absent for none.
   */
  readonly ends?: readonly EnvelopePlace[] | undefined
}

/** One sealed, signed update of a document. */
export interface Envelope {
  readonly head: EnvelopeHead
  /** Number of its chain, which is its Yjs client id. */
  readonly chain: number
  /** What its signature is over; two envelopes with one hash are one. */
  readonly hash: Uint8Array
  /** Absent once everything in it was erased: an envelope then is its head and the hash of its box. */
  readonly box: Uint8Array | undefined
  /** As it is stored and sent. */
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
  readonly headBytes: Uint8Array
  readonly boxHash: Uint8Array
}

/** The place of a chain's first envelope. */
export const NO_ENVELOPE = new Uint8Array(HASH_BYTES)

/** A document's name in keys and heads: 32 hex digits of a hash over id, kind and scope. */
export function documentKey(name: DocumentName): string {
  const known = keys.get(name)
  if (known !== undefined) return known
  const key = toHex(sha256(encode(['plexus/document', name.scope, name.kind, name.id])).subarray(0, ID_BYTES))
  keys.set(name, key)
  return key
}

/** Asked for with each message of a room that is drawn. */
const keys = new WeakMap<DocumentName, string>()

/**
 * A chain's number. It is made from whose chain it is, so that nobody can take
 * another's: to hit one takes 2^53 tries. One chain has one epoch, so that who lacks
 * a key lacks whole chains and never the middle of one.
 */
export function chainOf(head: Pick<EnvelopeHead, 'document' | 'author' | 'run' | 'epoch'>): number {
  const hash = sha256(encode(['plexus/chain', head.document, head.author, head.run, head.epoch]))
  let value = 0
  for (const byte of hash.subarray(0, 7)) value = value * 256 + byte
  return Math.floor(value / 2 ** (56 - CHAIN_BITS))
}

/** A fresh run of this device in a document. */
export function newRun(random: Random): Uint8Array {
  return random.bytes(ID_BYTES)
}

/** Seals and signs an update. */
export async function sealEnvelope(
  head: EnvelopeHead,
  update: Uint8Array,
  key: SecretKey,
  ports: { readonly signer: Signer; readonly random: Random },
  options: Options = {},
): Promise<Envelope> {
  const headBytes = encodeHead(head)
  const box = await key.seal(update, headBytes, ports.random)
  const boxHash = sha256(box)
  const signed = signedText(headBytes, boxHash)
  const signature = await ports.signer.sign(signed, options)
  return {
    head,
    chain: chainOf(head),
    hash: sha256(signed),
    box,
    signature,
    headBytes,
    boxHash,
    bytes: encode([headBytes, box, signature]),
  }
}

/** The same envelope without its box, still verifiable. */
export function hollow(envelope: Envelope): Envelope {
  if (envelope.box === undefined) return envelope
  const { headBytes, boxHash, signature } = envelope
  return { ...envelope, box: undefined, bytes: encode([headBytes, { hash: boxHash }, signature]) }
}

/**
 * Reads an envelope. Bounded and checked, not verified.
 * @throws MeshError `too-large`, `malformed`, `unsupported` for another format
 */
export function readEnvelope(given: Uint8Array): Envelope {
  const [headBytes, content, signature] = decode(given, envelopeSchema, {
    maxBytes: SYNC_ENVELOPE_MAX_BYTES,
    what: 'An envelope',
  })
  const head = decodeHead(headBytes)
  const box = content instanceof Uint8Array ? content : undefined
  const boxHash = content instanceof Uint8Array ? sha256(content) : content.hash
  return {
    head,
    chain: chainOf(head),
    hash: sha256(signedText(headBytes, boxHash)),
    box,
    signature,
    headBytes,
    boxHash,
    bytes: given,
  }
}

/** Checks the author's signature. @throws MeshError `integrity` */
export async function verifyEnvelope(envelope: Envelope): Promise<void> {
  const { headBytes, boxHash, head, signature } = envelope
  if (!(await signedBy(head.author, signedText(headBytes, boxHash), signature)))
    throw new MeshError('integrity', 'An envelope was not signed by the device it names.')
}

/** True of an envelope that adds and erases nothing, and tells how far its author holds chains of others. */
export function tellsOnlyEnds({ ends, count, erases }: Pick<EnvelopeHead, 'ends' | 'count' | 'erases'>): boolean {
  return ends !== undefined && count === 0 && erases.length === 0
}

/** Opens the box. @throws MeshError `integrity`, `too-large` */
export async function openEnvelope(envelope: Envelope, key: SecretKey): Promise<Uint8Array> {
  if (envelope.box === undefined) throw new MeshError('bug', 'An envelope without a box cannot be opened.')
  return key.open(envelope.box, envelope.headBytes)
}

async function signedBy(author: DeviceId, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    return await verifyBy(author, message, signature)
  } catch {
    // a name that is no key has signed nothing
    return false
  }
}

/** What the signature is over; the words in front keep it from being taken for anything else. */
function signedText(headBytes: Uint8Array, boxHash: Uint8Array): Uint8Array {
  return encode(['plexus/envelope', headBytes, boxHash])
}

// an array, not a map: there is one of it for every message ever written
function encodeHead(head: EnvelopeHead): Uint8Array {
  const ends = head.ends ?? []
  return encode([
    ends.length === 0 ? FORMAT : FORMAT_WITH_ENDS,
    hexToBytes(head.document),
    head.author,
    head.run,
    hexToBytes(head.epoch),
    head.sequence,
    head.from,
    head.count,
    head.at,
    head.previous,
    head.erases.map(({ chain, clock, count }) => [chain, clock, count]),
    ...(ends.length === 0 ? [] : [ends.map(({ chain, sequence }) => [chain, sequence])]),
  ])
}

function decodeHead(given: Uint8Array): EnvelopeHead {
  const limits = { maxBytes: HEAD_MAX_BYTES, what: 'The head of an envelope' }
  const [format] = decode(given, anyHead, limits)
  if (format !== FORMAT && format !== FORMAT_WITH_ENDS)
    throw new MeshError('unsupported', 'This was written by a version of Plexus that this one does not know.')
  const [, document, author, run, epoch, sequence, from, count, at, previous, erases, ends] =
    format === FORMAT ? decode(given, headSchema, limits) : decode(given, headWithEndsSchema, limits)
  return {
    document: toHex(document),
    author,
    run,
    epoch: toHex(epoch),
    sequence,
    from,
    count,
    at,
    previous,
    erases: erases.map(([chain, clock, length]) => ({ chain, clock, count: length })),
    ...(ends === undefined ? {} : { ends: ends.map(([chain, last]) => ({ chain, sequence: last })) }),
  }
}

/** Room for the fixed fields and as many ranges as may be erased, and ends be told, at once. */
const HEAD_MAX_BYTES = 512 + SYNC_ERASES_MAX * 32 + SYNC_ENDS_MAX * 20
const BOX_MAX_BYTES = SYNC_UPDATE_MAX_BYTES + BOX_OVERHEAD_BYTES
/** Half of what a number holds, so that sums of two stay exact. */
const CLOCK_MAX = 2 ** 52

const positive = z.int().check(z.gte(1), z.lte(CLOCK_MAX))

const anyHead = z.array(z.unknown())

const headFields = [
  exactBytes(ID_BYTES),
  deviceId,
  exactBytes(ID_BYTES),
  exactBytes(HASH_BYTES),
  positive,
  whole(CLOCK_MAX),
  whole(SYNC_OPERATIONS_MAX),
  whole(),
  exactBytes(HASH_BYTES),
  list(z.tuple([whole(), whole(CLOCK_MAX), positive]), SYNC_ERASES_MAX),
] as const
const headEnds = list(z.tuple([whole(), positive]), SYNC_ENDS_MAX).check(z.minLength(1))

const headSchema = z.tuple([z.literal(FORMAT), ...headFields])
const headWithEndsSchema = z.tuple([z.literal(FORMAT_WITH_ENDS), ...headFields, headEnds])

const envelopeSchema = z.tuple([
  bytes(HEAD_MAX_BYTES),
  z.union([bytes(BOX_MAX_BYTES), z.object({ hash: exactBytes(HASH_BYTES) })]),
  exactBytes(SIGNATURE_BYTES),
])
