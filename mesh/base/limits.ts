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
/** Times pictures are made for one invitation: each is a guess of somebody who may be in between. */
export const PICTURE_TRIES_MAX = 8

/** Devices that may wait for their words to be typed. */
export const KNOCKS_MAX = 8
/** Wrong words that may be typed within {@link PENDING_JOIN_MS}. */
export const KNOCK_TRIES_MAX = 5

/** How long recovery words that are not in force wait for their answer, in ms. */
export const RECOVERY_WRONG_MS = 1_000
/** Devices that may be told so at once; beyond, they are told to come later. */
export const RECOVERY_WRONG_MAX = 8
/** Longest text of recovery words or parts that is read, in characters. */
export const RECOVERY_TEXT_MAX_LENGTH = 2_000

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
/** First and longest pause between tries to replace a relayed link by a direct one, in ms. */
export const DIRECT_RETRY_FIRST_MS = 2_000
export const DIRECT_RETRY_MAX_MS = 30_000
/** How long one dial may take, in ms. */
export const DIAL_TIMEOUT_MS = 8_000
/** Pause before a second attempt beside a dial through a relay that hangs, in ms. */
export const SECOND_ATTEMPT_MS = 3_000

/** Most addresses kept of one device. */
export const ADDRESSES_MAX = 12
/** Most models one capability record names. */
export const MODELS_MAX = 64

/** Most entries of the ledger in one frame; their bytes are bounded by {@link LEDGER_BATCH_BYTES}. */
export const LEDGER_BATCH_MAX_ENTRIES = 512
/** Bytes of entries after which a frame of the ledger is full. */
export const LEDGER_BATCH_BYTES = 256 * 1024
/** Hashes a device names to say what it has: its heads, and older entries further and further apart. */
export const LEDGER_HAVE_MAX = 64
/** Most entries taken from a caller to find out whether it was admitted elsewhere. */
export const LEDGER_PROOF_MAX_ENTRIES = 4_096

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

/** Largest ledger entry, body and signature, in bytes. */
export const LEDGER_ENTRY_MAX_BYTES = 256 * 1024
/** Most heads one entry links. */
export const LEDGER_HEADS_MAX = 16
/** Entries that may wait for entries they link. */
export const LEDGER_WAITING_MAX = 4_096
/** What entries that wait may take, in bytes. */
export const LEDGER_WAITING_MAX_BYTES = 16 * 1024 * 1024
/** Most recipients of one epoch's key. */
export const LEDGER_RECIPIENTS_MAX = 1_024
/** Most epochs whose keys one entry shares. */
export const LEDGER_EPOCHS_PER_SHARE_MAX = 1_024
/** Most people one entry names for a room. */
export const LEDGER_PEOPLE_PER_ROOM_MAX = 512
/** Most ways to open the data of one device. */
export const KEY_SLOTS_MAX = 8
/** Largest record of them, in bytes. */
export const KEY_SLOTS_MAX_BYTES = 16 * 1024
/** Shortest and longest passphrase, in UTF-16 units. */
export const PASSPHRASE_MIN_LENGTH = 8
export const PASSPHRASE_MAX_LENGTH = 1_024
/** Least and most memory Argon2id is let take, in KiB: below it guessing is cheap, above it a phone gives up. */
export const ARGON_MIN_KIB = 19_456
export const ARGON_MAX_KIB = 262_144
/** Fewest and most passes of Argon2id. */
export const ARGON_MIN_PASSES = 2
export const ARGON_MAX_PASSES = 12
/** Wrong tries before one has to wait, the first wait and the longest, in ms. */
export const FREE_UNLOCK_TRIES = 3
export const UNLOCK_FIRST_WAIT_MS = 2_000
export const UNLOCK_MAX_WAIT_MS = 60_000

/** What an archive is sealed in at once, and the most of it that is held in memory beside one record, in bytes. */
export const ARCHIVE_CHUNK_BYTES = 64 * 1024
/** Largest head of an archive, in bytes. */
export const ARCHIVE_HEAD_MAX_BYTES = 1_024
/** Most of one room or chat of an archive that is taken in, in bytes: it is in memory whole, so that it comes whole or not at all. */
export const ARCHIVE_PART_MAX_BYTES = 256 * 1024 * 1024
/** Largest record in an archive, in bytes. */
export const ARCHIVE_RECORD_MAX_BYTES = 4 * 1024 * 1024
/** Largest operation of a room, in bytes: a text at its limit, three bytes a unit, and what stands beside it. */
export const ROOM_OPERATION_MAX_BYTES = 160 * 1024
/** Longest text of one message of a room, in UTF-16 units. */
export const ROOM_TEXT_MAX_LENGTH = 32_768
/** Longest piece of an AI answer in one operation, in UTF-16 units; an answer is as many as it takes. */
export const ROOM_PART_MAX_LENGTH = 32_768
/** Messages an operation names as the last its author saw. */
export const ROOM_HEADS_MAX = 16
/** Messages a read mark names as known of and not here. */
export const ROOM_MISSING_MAX = 64
/** People one message may address. */
export const ROOM_MENTIONS_MAX = 32
/** Longest name an imported message gives for its author, in UTF-16 units: a name, and who imported it before. */
export const ROOM_IMPORTED_NAME_MAX_LENGTH = 200
/** Files one message may refer to. */
export const ROOM_ATTACHMENTS_MAX = 16
/** Longest name of a room, in UTF-16 units. */
export const ROOM_NAME_MAX_LENGTH = 120
/** Greatest place in the order of a room: ms of the year 2200. There the order goes on by id. */
export const ROOM_ORDER_MAX = 7_258_118_400_000
/** Greatest place in the order of a chat: ms of the year 2200. There the order goes on by id. */
export const CHAT_ORDER_MAX = 7_258_118_400_000
/** Most operations of one chat, and most of their bytes, that go from device to device. */
export const CHAT_OPERATIONS_MAX = 65_536
export const CHAT_MAX_BYTES = 128 * 1024 * 1024
/** An operation of a chat goes into its document in pieces of at most this, in bytes. */
export const CHAT_PIECE_MAX_BYTES = 192 * 1024
/** Longest id of a chat that goes from device to device, in characters: beside the mesh it fits the name of a document. */
export const CHAT_ID_MAX_LENGTH = 46
/** Largest presence of a device in a room, in bytes. */
export const ROOM_PRESENCE_MAX_BYTES = 1_024
/** A device tells its presence in a room at most this often, in ms. */
export const ROOM_PRESENCE_EVERY_MS = 3_000
/** Presence not told again within this time is gone, in ms. */
export const ROOM_PRESENCE_LIFETIME_MS = 30_000
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
/** A document gets a new snapshot when its log has grown by this much since the last one, in envelopes or bytes. */
export const SYNC_SNAPSHOT_ENVELOPES = 256
export const SYNC_SNAPSHOT_BYTES = 1024 * 1024
/** A log that holds erased bytes is written anew when it has grown by this many envelopes since that was last done. */
export const SYNC_REWRITE_ENVELOPES = 4_096
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
