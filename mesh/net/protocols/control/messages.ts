import * as z from 'zod/mini'
import { ADDRESSES_MAX, FRAME_MAX_BYTES, MODELS_MAX } from '../../../base/index.ts'
import { NAME_MAX_LENGTH, signedRoster } from '../../../identity/index.ts'
import { address, deviceId, invitationId, list, modelId, range, text, whole } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** The one long-lived stream of a link: who I am, am I there, what can I do. */
export const CONTROL: ProtocolShape = { id: '/plexus/control/1.0.0', maxFrameBytes: FRAME_MAX_BYTES, maxStreams: 4 }

/** Most lists of devices in one frame. */
const ROSTERS_MAX = 16
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

const pendingJoin = z.object({
  invitation: invitationId,
  device: deviceId,
  name: text(NAME_MAX_LENGTH),
  kind: z.enum(['helper', 'browser']),
  pictures: list(text(16), 4),
  path: z.enum(['self', 'direct', 'relayed', 'none']),
})

/** A device the sender is linked with, and where that device says it can be reached. */
const neighbour = z.object({ id: deviceId, addresses: list(address, ADDRESSES_MAX) })

/** First frame, both ways. */
export const hello = z.object({
  type: z.literal('hello'),
  rosters: list(signedRoster, ROSTERS_MAX),
  capability,
  neighbours: list(neighbour, NEIGHBOURS_MAX),
})

/** Lists of devices, newest the sender has. Also sent to a removed device, before it is refused. */
export const rosters = z.object({ type: z.literal('rosters'), rosters: list(signedRoster, ROSTERS_MAX) })

/** Everything that may follow the hello. */
export const controlFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('beat'), n: whole() }),
  z.object({ type: z.literal('echo'), n: whole() }),
  z.object({ type: z.literal('capability'), capability }),
  z.object({ type: z.literal('neighbours'), neighbours: list(neighbour, NEIGHBOURS_MAX) }),
  rosters,
  z.object({ type: z.literal('pending'), joins: list(pendingJoin, 16) }),
  z.object({ type: z.literal('bye') }),
])

/** What a device can do now; told at hello and whenever it changes. */
export type CapabilityRecord = z.output<typeof capability>
/** The first frame. */
export type Hello = z.output<typeof hello>
/** A hint that a device can be reached, and how. */
export type Neighbour = z.output<typeof neighbour>
/** Any later frame. */
export type ControlFrame = z.output<typeof controlFrame>
