import {
  BUDGET_ARRIVALS_BURST_SECONDS,
  BUDGET_GUEST_BURST_SECONDS,
  BUDGET_GUEST_BYTES,
  BUDGET_GUEST_FRAMES,
  BUDGET_GUEST_STREAMS,
  BUDGET_GUEST_WORK_MS,
  BUDGET_HELPER_BURST_SECONDS,
  BUDGET_HELPER_BYTES,
  BUDGET_HELPER_FRAMES,
  BUDGET_HELPER_STREAMS,
  BUDGET_HELPER_WORK_MS,
  BUDGET_MEMBER_BURST_SECONDS,
  BUDGET_MEMBER_BYTES,
  BUDGET_MEMBER_FRAMES,
  BUDGET_MEMBER_STREAMS,
  BUDGET_MEMBER_WORK_MS,
  BUDGET_OWN_WORK_MS,
  BUDGET_PEAK_WORK_MS,
  BUDGET_STRANGER_BURST_SECONDS,
  BUDGET_STRANGER_BYTES,
  BUDGET_STRANGER_FRAMES,
  BUDGET_STRANGER_STREAMS,
  BUDGET_STRANGER_WORK_MS,
  BUDGET_STRANGERS_BURST_SECONDS,
  BUDGET_STRANGERS_BYTES,
  BUDGET_STRANGERS_FRAMES,
  BUDGET_STRANGERS_STREAMS,
  BUDGET_STRANGERS_WORK_MS,
} from '../../base/index.ts'
import type { Subject } from '../../identity/index.ts'
import type { Rate } from './bucket.ts'

/**
 * What a device can use up here: frames, bytes that come in, streams it opens, messages of a transport that cannot be
 * told to wait (WebRTC), ms of this device's processor.
 */
export type Resource = 'frames' | 'bytes' | 'streams' | 'messages' | 'workMs'
/** A rate for each, and how fast work that was saved up may be had: what others wait for in between. */
export type Rates = Readonly<Record<Resource | 'peakWorkMs', Rate>>

/** A message of WebRTC counts once for each so many bytes of it; what is long comes in messages of 16 KiB. */
export const MESSAGE_BYTES = 8 * 1024
/** How much faster than a member's an own device's messages may come: it is not cut for how fast it hands on what one has. */
const OWN_MESSAGES_FACTOR = 2

function rates(frames: number, bytes: number, streams: number, workMs: number, burstSeconds: number): Rates {
  const rate = (perSecond: number): Rate => ({ perSecond, burstSeconds })
  const atOnce = (perSecond: number): Rate => ({
    perSecond,
    burstSeconds: Math.min(burstSeconds, BUDGET_ARRIVALS_BURST_SECONDS),
  })
  return {
    frames: rate(frames),
    bytes: rate(bytes),
    streams: atOnce(streams),
    messages: atOnce(frames + bytes / MESSAGE_BYTES),
    workMs: rate(workMs),
    peakWorkMs: { perSecond: Math.max(workMs, BUDGET_PEAK_WORK_MS), burstSeconds: 1 },
  }
}

/** All strangers together. */
export const STRANGERS = rates(
  BUDGET_STRANGERS_FRAMES,
  BUDGET_STRANGERS_BYTES,
  BUDGET_STRANGERS_STREAMS,
  BUDGET_STRANGERS_WORK_MS,
  BUDGET_STRANGERS_BURST_SECONDS,
)

/** One connection of a stranger. */
export const STRANGER = rates(
  BUDGET_STRANGER_FRAMES,
  BUDGET_STRANGER_BYTES,
  BUDGET_STRANGER_STREAMS,
  BUDGET_STRANGER_WORK_MS,
  BUDGET_STRANGER_BURST_SECONDS,
)

const GUEST = rates(
  BUDGET_GUEST_FRAMES,
  BUDGET_GUEST_BYTES,
  BUDGET_GUEST_STREAMS,
  BUDGET_GUEST_WORK_MS,
  BUDGET_GUEST_BURST_SECONDS,
)
const HELPER_ONLY = rates(
  BUDGET_HELPER_FRAMES,
  BUDGET_HELPER_BYTES,
  BUDGET_HELPER_STREAMS,
  BUDGET_HELPER_WORK_MS,
  BUDGET_HELPER_BURST_SECONDS,
)
const MEMBER = rates(
  BUDGET_MEMBER_FRAMES,
  BUDGET_MEMBER_BYTES,
  BUDGET_MEMBER_STREAMS,
  BUDGET_MEMBER_WORK_MS,
  BUDGET_MEMBER_BURST_SECONDS,
)

const OWN: Rates = {
  ...rates(
    BUDGET_MEMBER_FRAMES,
    BUDGET_MEMBER_BYTES,
    BUDGET_MEMBER_STREAMS,
    BUDGET_OWN_WORK_MS,
    BUDGET_MEMBER_BURST_SECONDS,
  ),
  messages: { ...MEMBER.messages, perSecond: MEMBER.messages.perSecond * OWN_MESSAGES_FACTOR },
}

/** Whose budget a device has: that of the same person's devices, or of what it is in the mesh. */
export type Spender = Subject | 'own'

/** What one admitted device may use, by whose budget it has; undefined: it is a stranger here. */
export const DEVICE_RATES: Readonly<Record<Spender, Rates | undefined>> = {
  own: OWN,
  // an owner may more in the mesh, and no more of another person's processor
  owner: MEMBER,
  member: MEMBER,
  'helper-only': HELPER_ONLY,
  guest: GUEST,
  // what it held it holds; what it may cost is what anybody may
  removed: undefined,
  stranger: undefined,
}
