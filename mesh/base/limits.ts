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

/** Largest Yjs update in one envelope, in bytes; what is larger is split. */
export const SYNC_UPDATE_MAX_BYTES = 512 * 1024
/** Largest envelope, in bytes: the update, its box, a head that erases as much as it may, a signature. */
export const SYNC_ENVELOPE_MAX_BYTES = 528 * 1024
/** Largest single operation, in bytes. */
export const SYNC_OPERATION_MAX_BYTES = 256 * 1024
/** Most operations in one envelope. */
export const SYNC_OPERATIONS_MAX = 256
/** Most ranges that one envelope erases. */
export const SYNC_ERASES_MAX = 256
/** Most documents one device keeps. */
export const SYNC_DOCUMENTS_MAX = 16_384
/** Most chains in one document, and of one author in it. */
export const SYNC_CHAINS_MAX = 65_536
export const SYNC_CHAINS_PER_AUTHOR_MAX = 16_384
/** Most bytes of one document that wait for a key or for what comes before them, and an author's share of it. */
export const SYNC_WAITING_MAX_BYTES = 1024 * 1024
export const SYNC_WAITING_PER_AUTHOR_MAX_BYTES = 256 * 1024
/** A document's log is compacted when this much was added since, in envelopes or bytes. */
export const SYNC_COMPACT_ENVELOPES = 5_000
export const SYNC_COMPACT_BYTES = 1024 * 1024
/** How long the decoder may take over one update, in ms, and how much memory it may have, in MiB. */
export const SYNC_DECODE_TIMEOUT_MS = 500
export const SYNC_DECODE_HEAP_MIB = 256
/** How long a decoder's worker may take to start, in ms. */
export const SYNC_DECODE_START_MS = 20_000
/** Updates that may wait for the decoder. */
export const SYNC_DECODE_QUEUE_MAX = 1_024
/** Bytes of envelopes that may be on their way to a device before it grants more, and the steps it grants in. */
export const SYNC_WINDOW_BYTES = 1024 * 1024
export const SYNC_GRANT_BYTES = 256 * 1024
/** Bytes of envelopes gathered into one frame, unless a single one is larger. */
export const SYNC_BATCH_BYTES = 128 * 1024
/** Most envelopes in one frame. */
export const SYNC_BATCH_ENVELOPES = 256
/** Documents named in one frame. */
export const SYNC_OFFER_MAX = 256
/** Streams of documents one connection may have open, each way. */
export const SYNC_STREAMS_MAX = 4
/** Pause before a session that ended is opened again, in ms. */
export const SYNC_RETRY_MS = 2_000
/** How far ahead of this device's clock the stamp of a setting may be and still count, in ms. */
export const SYNC_SETTING_AHEAD_MS = 24 * 60 * 60_000
/** Quarantines kept. */
export const SYNC_QUARANTINES_MAX = 1_024
/** Largest presence, in bytes; how many of one author a second are heard; how long one holds, in ms. */
export const AWARENESS_MAX_BYTES = 1_024
export const AWARENESS_PER_SECOND = 5
export const AWARENESS_HOLDS_MS = 30_000
