import * as z from 'zod/mini'
import { ADDRESSES_MAX, FRAME_MAX_BYTES, KNOCKS_TOLD_MAX, LEDGER_HEADS_MAX, MODELS_MAX } from '../../../base/index.ts'
import { CONSENT_BYTES, signedCertificate } from '../../../identity/index.ts'
import {
  address,
  deviceId,
  entryHash,
  exactBytes,
  invitationId,
  list,
  meshId,
  modelId,
  range,
  text,
  whole,
} from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'
import { endFrame, entriesFrame, haveFrame } from '../ledger/messages.ts'

/** The one long-lived stream of a link: who I am, am I there, what can I do. */
export const CONTROL: ProtocolShape = { id: '/plexus/control/2.0.0', maxFrameBytes: FRAME_MAX_BYTES, maxStreams: 4 }

/** Most neighbours one device names. */
const NEIGHBOURS_MAX = 512

const modelRecord = z.object({
  id: modelId,
  sizeBytes: whole(),
  sha256: text(64).check(z.regex(/^([0-9a-f]{64})?$/)),
  contextTokens: whole(),
  state: z.enum(['downloading', 'available', 'loading', 'ready', 'failed']),
  addedAt: whole(),
  progress: z.optional(
    z.object({
      receivedBytes: whole(),
      totalBytes: whole(),
      rateBytesPerSecond: range(0, Number.MAX_SAFE_INTEGER),
      source: text(120),
    }),
  ),
  speed: z.optional(
    z.object({
      prefillTokensPerSecond: range(0, 1e9),
      decodeTokensPerSecond: range(0, 1e9),
      measuredAt: whole(),
    }),
  ),
  reason: z.optional(text(400)),
})

const capability = z.object({
  kind: z.enum(['helper', 'browser']),
  models: list(modelRecord, MODELS_MAX),
  load: z.object({ slots: whole(1024), busy: whole(1024), queued: whole(100_000) }),
  addresses: list(address, ADDRESSES_MAX),
  /** UDP port of a STUN server beside the peer, for the devices of its mesh. */
  stunPort: z.optional(whole(65_535)),
})

/** What earlier versions told of joins that wait. It is read, so that their links stay up, and not believed. */
const pendingJoin = z.object({
  invitation: invitationId,
  certificate: signedCertificate,
  proof: exactBytes(64),
  nonce: exactBytes(16),
  path: z.enum(['direct', 'relayed']),
})

/** A device that shows words and waits for somebody of the mesh to type them. */
export const knock = z.object({
  certificate: signedCertificate,
  key: exactBytes(32),
  proof: exactBytes(64),
  path: z.enum(['direct', 'relayed']),
  /** Its signature that it comes by these words into this mesh; earlier versions tell of none, and cannot be helped. */
  consent: z.optional(exactBytes(CONSENT_BYTES)),
})

/** A device the sender is linked with, and where that device says it can be reached. */
const neighbour = z.object({ id: deviceId, addresses: list(address, ADDRESSES_MAX) })

/** First frame, both ways. */
export const hello = z.object({
  type: z.literal('hello'),
  /** The mesh the sender is a device of. */
  mesh: meshId,
  /** The heads of its ledger. */
  heads: list(entryHash, LEDGER_HEADS_MAX),
  capability,
  neighbours: list(neighbour, NEIGHBOURS_MAX),
})

/**
 * What the called side may answer to a hello instead of its own: `have` when it does
 * not know the caller and the caller may have been admitted elsewhere, `entries` to
 * a removed device, before it is refused.
 */
export const reception = z.discriminatedUnion('type', [hello, haveFrame, entriesFrame])

/** What the caller answers to `have`: the entries that lack there, in batches, and an end. */
export const proofFrame = z.discriminatedUnion('type', [entriesFrame, endFrame])

/** Everything that may follow the hello. */
export const controlFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('beat'), n: whole() }),
  z.object({ type: z.literal('echo'), n: whole() }),
  z.object({ type: z.literal('capability'), capability }),
  z.object({ type: z.literal('neighbours'), neighbours: list(neighbour, NEIGHBOURS_MAX) }),
  // entries of the ledger that are new here, and what one has after taking some in
  entriesFrame,
  z.object({ type: z.literal('heads'), heads: list(entryHash, LEDGER_HEADS_MAX) }),
  z.object({ type: z.literal('pending'), joins: list(pendingJoin, 16) }),
  z.object({ type: z.literal('knocks'), knocks: list(knock, KNOCKS_TOLD_MAX) }),
  z.object({ type: z.literal('bye') }),
])

/** What a device can do now; told at hello and whenever it changes. */
export type CapabilityRecord = z.output<typeof capability>
/** The first frame. */
export type Hello = z.output<typeof hello>
/** A device that knocks, with the proof that it knows its words. */
export type KnockProof = z.output<typeof knock>
/** A hint that a device can be reached, and how. */
export type Neighbour = z.output<typeof neighbour>
/** Any later frame. */
export type ControlFrame = z.output<typeof controlFrame>
