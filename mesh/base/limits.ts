// Every number at which the peer says no, in one place; docs/limits.md explains each.

/** Largest frame of any protocol, in bytes. Far below the 4 MiB at which libp2p resets a stream. */
export const FRAME_MAX_BYTES = 1024 * 1024
/** Largest first frame of a device that is not admitted, in bytes. */
export const STRANGER_FRAME_MAX_BYTES = 320 * 1024
/** How long a stream may be open before its first frame has come, in ms. */
export const FIRST_FRAME_TIMEOUT_MS = 10_000
/** How long a connection of a device that is not admitted may stay, in ms. */
export const STRANGER_CONNECTION_MS = 15_000
/** How long such a connection may stay while its pictures are compared, in ms. */
export const PENDING_JOIN_MS = 10 * 60_000
/** Devices that may wait for their pictures at once. */
export const PENDING_JOINS_MAX = 8

/** Heartbeat of the control stream, in ms. */
export const HEARTBEAT_MS = 1_000
/** A device silent for this long is gone, in ms. */
export const SILENT_MS = 3_000
/** After a sleep, how long a link has to answer before it is cut, in ms. */
export const WAKE_PROBE_MS = 1_500

/** First and longest pause between dials of a device whose addresses are known, in ms. */
export const REDIAL_FIRST_MS = 500
export const REDIAL_MAX_MS = 4_000
/** Longest pause between dials through a relay of a device nobody has seen, in ms. */
export const REDIAL_UNSEEN_MAX_MS = 30_000
/** Head start of each way to a device before the next is tried beside it, in ms. */
export const DIAL_STAGGER_MS = 400
/** How long direct ways are tried alone before one through a relay starts beside them, in ms. */
export const RELAY_HEAD_START_MS = 3_000
/** Pause between tries to replace a relayed link by a direct one, in ms. */
export const DIRECT_RETRY_MS = 30_000
/** How long one dial may take, in ms. */
export const DIAL_TIMEOUT_MS = 8_000
/** Pause before a second attempt beside a dial through a relay that hangs, in ms. */
export const SECOND_ATTEMPT_MS = 3_000

/** Most addresses kept of one device. */
export const ADDRESSES_MAX = 12
/** Most models one capability record names. */
export const MODELS_MAX = 64

/** Largest prompt, in UTF-16 units over all messages. */
export const PROMPT_MAX_LENGTH = 400_000
/** Most messages in one prompt. */
export const PROMPT_MAX_MESSAGES = 1_024
/** Frames an answering device may send before the asker grants more. */
export const INFER_CREDIT_FRAMES = 64
/** The asker grants more when it has taken this many. */
export const INFER_GRANT_FRAMES = 32
/** Longest text in one frame of an answer, in UTF-16 units. */
export const INFER_TEXT_MAX_LENGTH = 64 * 1024
/** Questions one device may have running on another. */
export const INFER_STREAMS_MAX = 16
/** An answer with no frame for this long has stalled, in ms. Engines report progress far more often. */
export const INFER_STALL_MS = 60_000
