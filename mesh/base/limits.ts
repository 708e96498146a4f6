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

/** Devices that may wait for their words to be typed, and how many of them others are told unasked. */
export const KNOCKS_MAX = 1_024
export const KNOCKS_TOLD_MAX = 8
/** Wrong words that may be typed within {@link PENDING_JOIN_MS}. */
export const KNOCK_TRIES_MAX = 5

/** How long recovery words that are not in force wait for their answer, in ms. */
export const RECOVERY_WRONG_MS = 1_000
/** Devices that may be told so at once; beyond, they are told to come later. */
export const RECOVERY_WRONG_MAX = 8
/** Longest text of recovery words or parts that is read, in characters. */
export const RECOVERY_TEXT_MAX_LENGTH = 2_000

// budgets: what a device may cost this one each second, at its role; see mesh/net/budgets
/** One connection of a stranger: frames, bytes in, streams opened, ms of the processor, and for how many seconds it may have them at once. */
export const BUDGET_STRANGER_FRAMES = 20
export const BUDGET_STRANGER_BYTES = 256 * 1024
export const BUDGET_STRANGER_STREAMS = 4
export const BUDGET_STRANGER_WORK_MS = 50
export const BUDGET_STRANGER_BURST_SECONDS = 8
/** All strangers together, removed devices among them. */
export const BUDGET_STRANGERS_FRAMES = 200
export const BUDGET_STRANGERS_BYTES = 2 * 1024 * 1024
export const BUDGET_STRANGERS_STREAMS = 50
export const BUDGET_STRANGERS_WORK_MS = 150
export const BUDGET_STRANGERS_BURST_SECONDS = 4
/** One device of a guest. */
export const BUDGET_GUEST_FRAMES = 100
export const BUDGET_GUEST_BYTES = 1024 * 1024
export const BUDGET_GUEST_STREAMS = 10
export const BUDGET_GUEST_WORK_MS = 150
export const BUDGET_GUEST_BURST_SECONDS = 10
/** One helper-only device. */
export const BUDGET_HELPER_FRAMES = 500
export const BUDGET_HELPER_BYTES = 8 * 1024 * 1024
export const BUDGET_HELPER_STREAMS = 20
export const BUDGET_HELPER_WORK_MS = 300
export const BUDGET_HELPER_BURST_SECONDS = 10
/** One device of a member or an owner. */
export const BUDGET_MEMBER_FRAMES = 1_000
export const BUDGET_MEMBER_BYTES = 16 * 1024 * 1024
export const BUDGET_MEMBER_STREAMS = 50
export const BUDGET_MEMBER_WORK_MS = 500
export const BUDGET_MEMBER_BURST_SECONDS = 20
/** One of the person's own devices, as far as it may more. */
export const BUDGET_OWN_WORK_MS = 900
/** What a device may have of the processor in one second whatever it has saved up, in ms, where its role gives it no more for good. */
export const BUDGET_PEAK_WORK_MS = 500
/** Of the work of their budgets others have so much in a page: its one thread draws, too. */
export const BUDGET_PAGE_WORK_PERCENT = 50
/** The most seconds' worth at once of what costs by arriving: streams, messages of WebRTC. */
export const BUDGET_ARRIVALS_BURST_SECONDS = 2
/** Who sent so many ms' worth more of that than it may is cut, and kept away until it came in. */
export const ARRIVALS_OWED_MAX_MS = 1_000
/** Longest wait for what one thing cost, in ms; below {@link SILENT_MS}, so that a budget cuts no link. */
export const BUDGET_WAIT_MAX_MS = 2_000
/** Bytes of frames that are not whole, of all strangers. */
export const STRANGERS_UNREAD_MAX_BYTES = 8 * 1024 * 1024

/** Inbound connections of one admitted device, of one that is not, and of all that are not. */
export const DEVICE_CONNECTIONS_MAX = 8
export const STRANGER_DEVICE_CONNECTIONS_MAX = 2
export const STRANGER_CONNECTIONS_MAX = 64
/** Connections of strangers that wait for people, beside those. */
export const AWAITED_CONNECTIONS_MAX = 64
/** Connections that are being set up: at once, from one host each second, and for how many seconds at once. */
export const HANDSHAKES_PENDING_MAX = 128
export const HANDSHAKES_PER_SECOND = 50
export const HANDSHAKES_BURST_SECONDS = 4
/** Streams of one stranger's connection that are served at once. */
export const STRANGER_STREAMS_MAX = 8
/** What each stream is charged beforehand, in ms of work: a page makes a data channel for it, which no handler sees; a stranger's signatures are checked. */
export const STREAM_WORK_MS = 4
/** Streams of one connection, and those among them that have not named their protocol. */
export const STREAMS_MAX = 512
export const STREAMS_UNNAMED_MAX = 32
/** Bytes of a stream that has not named its protocol, and of a ping or an introduction. */
export const UNNAMED_STREAM_MAX_BYTES = 64 * 1024
export const LIBRARY_STREAM_MAX_BYTES = 64 * 1024
/** Bytes of one stream that may be on their way here before anybody reads. */
export const STREAM_WINDOW_MAX_BYTES = 1024 * 1024
/** Bytes that wait for a device that reads nothing: of one stream, and of its connection; beyond, it is cut. */
export const STREAM_UNSENT_MAX_BYTES = 4 * 1024 * 1024
export const CONNECTION_UNSENT_MAX_BYTES = 8 * 1024 * 1024
/** A device that takes nothing of a frame for this long is cut, in ms. */
export const WRITE_STALL_MS = 60_000
/** The same for the control stream of a link, in ms, and bytes that may wait there. */
export const CONTROL_STALL_MS = 10_000
export const CONTROL_UNSENT_MAX_BYTES = 2 * 1024 * 1024

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

/** Dials of told addresses that nobody has proven yet which one teller may cause at once, and how soon one comes back, in ms. */
export const HEARSAY_DIALS_BURST = 16
export const HEARSAY_DIAL_EVERY_MS = 2_500
/** The same for all other people together. */
export const HEARSAY_ALL_BURST = 48
export const HEARSAY_ALL_EVERY_MS = 1_000
/** What a dial of a public host costs at which the device was never seen; others cost 1. */
export const HEARSAY_FAR_PRICE = 8
/** First and longest time a told address that led nowhere is left alone, in ms. */
export const HEARSAY_PAUSE_FIRST_MS = 2_000
export const HEARSAY_PAUSE_MAX_MS = 10 * 60_000
/** How soon after a dial a neighbour's hint may cause the next one, in ms. */
export const HINT_DIAL_MS = 2_000
/** How soon after a hint let the pauses between dials begin anew the next one may, in ms. */
export const HINT_REVIVE_MS = 30_000
/** Changes of what is near are told to neighbours at most this often, in ms. */
export const NEIGHBOURS_EVERY_MS = 200

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
/** Characters of one answer that are taken from a device; more is none that anybody asked for. */
export const INFER_ANSWER_MAX_LENGTH = 4_000_000
/** Characters of an answer that are taken for each token it was to have at most: no token of a vocabulary is longer. */
export const INFER_TOKEN_MAX_LENGTH = 256
/** An answer on which nothing went on for this long, whatever was said meanwhile, does not come, in ms. */
export const INFER_NO_PROGRESS_MS = 5 * 60_000
/** Questions one device may have running on another. */
export const INFER_STREAMS_MAX = 16
/** Questions that may wait for a device's engines. Above: `busy`. */
export const ENGINE_WAITING_MAX = 32
/** Of those, questions of other people: places are kept for the person whose device it is. */
export const ENGINE_OTHERS_WAITING_MAX = 24
/** Of those, questions of one other person. */
export const ENGINE_PERSON_WAITING_MAX = 8
/** How often a question that waits is told so, in ms. */
export const ENGINE_TELLS_EVERY_MS = 20_000
/** After this long an own question that waits for the only place, in ms, ends the answer that somebody else has there. */
export const ENGINE_OWN_WAITS_MS = 10_000
/** Models that are not loaded which another person may ask for at once, and how soon one more may be, in ms. */
export const ENGINE_LOADS_BURST = 6
export const ENGINE_LOAD_EVERY_MS = 60_000
/** How long a model stays loaded against who has fewer rights here than who used it last, in ms. */
export const ENGINE_KEPT_MS = 10 * 60_000
/** How long it stays against other people of the same rights after it was loaded, in ms. */
export const ENGINE_KEPT_LOADED_MS = 30_000
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
/** Largest entry of any other type than those that carry keys or name people, in bytes. */
export const LEDGER_SMALL_ENTRY_MAX_BYTES = 4 * 1024
/** Entries the devices of one person may have in the ledger, beside what age adds. */
export const LEDGER_ALLOWANCE_ENTRIES = 512
/** What they may take, in bytes. */
export const LEDGER_ALLOWANCE_BYTES = 4 * 1024 * 1024
/** Entries more for each day since the person came. */
export const LEDGER_ALLOWANCE_ENTRIES_PER_DAY = 2
/** Bytes more for each day since the person came. */
export const LEDGER_ALLOWANCE_BYTES_PER_DAY = 32 * 1024
/** Rotations of keys that the devices of one person may have written beside that, and what each day adds. */
export const LEDGER_KEYS_ENTRIES = 512
export const LEDGER_KEYS_ENTRIES_PER_DAY = 2
/** Entries by which a person may give older keys to devices of its own, and what each day adds. */
export const LEDGER_SHARES_OWN_ENTRIES = 512
export const LEDGER_SHARES_OWN_ENTRIES_PER_DAY = 1
/** Entries by which a person may give older keys to those of one other person, and what each day adds. */
export const LEDGER_SHARES_OTHER_ENTRIES = 128
export const LEDGER_SHARES_OTHER_ENTRIES_PER_DAY = 1
/** What each of these may take for each entry, in bytes: a box of keys for sixty devices, or of a hundred keys for one. */
export const LEDGER_KEYS_BYTES_PER_ENTRY = 8 * 1024
/** Devices that may belong to one person at once. */
export const LEDGER_DEVICES_PER_PERSON_MAX = 64
/** Entries of each device that the others of its person cannot use up. */
export const LEDGER_RESERVED_ENTRIES = 16
/** Devices of one person beyond which none has such a reserve. */
export const LEDGER_RESERVED_DEVICES_MAX = 32
/** Entries taken of a device that is known to be removed and says that it did not know. */
export const LEDGER_LATE_ENTRIES_MAX = 64
/** Entries of each kind that no account holds back: removals, the keys after them, who comes by recovery words. */
export const LEDGER_VITAL_ENTRIES = 64
/** Entries of one fetch that are taken together, in bytes. */
export const LEDGER_GATHERED_MAX_BYTES = 16 * 1024 * 1024
/** How much more of others' entries a person may bring in than it may write. */
export const LEDGER_SPONSORED_FACTOR = 8
/** Keys asked for at once of a device that holds them, how long its answer may take, and when it is asked again, in ms. */
export const KEYS_PER_ASK_MAX = 256
export const KEYS_ANSWER_TIMEOUT_MS = 10_000
export const KEYS_AGAIN_FIRST_MS = 2_000
export const KEYS_AGAIN_MAX_MS = 10 * 60_000
/** Devices asked for keys at once. */
export const KEYS_ASKED_AT_ONCE = 16
/** Questions for keys that one device is answered at once, and the pause for each further one, in ms. */
export const KEYS_ANSWERS_MAX = 16
export const KEYS_ANSWER_EVERY_MS = 10_000
/** How long a key that was given and does not open is waited for before another is made, in ms. */
export const KEYS_WITHHELD_MS = 60_000
/** How often a key is given to one recipient through the ledger before that takes longer each time, the first pause and the longest, in ms. */
export const KEYS_FREE_SHARES = 3
export const KEYS_SHARE_PAUSE_FIRST_MS = 60 * 60_000
export const KEYS_SHARE_PAUSE_MAX_MS = 30 * 24 * 60 * 60_000
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
/** Most numbers of one gap in a stored log that are told as damaged one by one. */
export const LOG_GAP_MAX_ENTRIES = 1_024

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
/** Stretches of what single authors wrote that a read mark names where heads and exceptions do not suffice. */
export const ROOM_SPANS_MAX = 64
/** Read marks of one device that count: its newest, for each says all that the ones before it said. */
export const ROOM_MARKS_PER_DEVICE_MAX = 16
/** People one message may address. */
export const ROOM_MENTIONS_MAX = 32
/** Longest name an imported message gives for its author, in UTF-16 units: a name, and who imported it before. */
export const ROOM_IMPORTED_NAME_MAX_LENGTH = 200
/** Files one message may refer to. */
export const ROOM_ATTACHMENTS_MAX = 16
/** Longest name of a room, in UTF-16 units. */
export const ROOM_NAME_MAX_LENGTH = 120
/** Memory that rooms take which a page keeps open for its list and searches: one of them, and all, in bytes. Others are open while somebody looks at them. */
export const ROOM_KEPT_OPEN_MAX_BYTES = 48 * 1024 * 1024
export const ROOMS_KEPT_OPEN_MAX_BYTES = 128 * 1024 * 1024
/** Greatest place in the order of a room: ms of the year 2200. There what was seen decides. */
export const ROOM_ORDER_MAX = 7_258_118_400_000
/** Greatest place in the order of a chat: ms of the year 2200. There what was seen decides. */
export const CHAT_ORDER_MAX = 7_258_118_400_000
/** A place in the order of a room or chat that is further ahead of a device's clock than this, in ms, is not followed by what it writes. */
export const ORDER_AHEAD_MS = 24 * 60 * 60_000
/** Operations that one operation of a chat names as seen though they claim a later place. */
export const CHAT_AFTER_MAX = 16
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
/** Most documents one device keeps for another person, and for each further device of its own; what it writes itself always has a place. */
export const SYNC_DOCUMENTS_PER_PERSON_MAX = 16_384
export const SYNC_DOCUMENTS_OWN_MAX = 65_536
/** Documents that are asked for over one link and of which nothing has come yet. */
export const SYNC_PROSPECTS_MAX = 256
/** Further offers that one link may have waiting. */
export const SYNC_OFFERS_WAITING_MAX = 4_096
/** How long a link may bring nothing before others of its offers are tried, in ms. */
export const SYNC_PROSPECT_MS = 60_000
/** How long what a removed person left is kept by devices that never read it, in ms. */
export const SYNC_OVER_MS = 30 * 24 * 60 * 60_000
/** Most chains in one document; a person has no more than a quarter of what the others leave. */
export const SYNC_CHAINS_MAX = 65_536
/** Most ends of chains that one envelope tells. */
export const SYNC_ENDS_MAX = 256
/** So many of each author are told in the order in which they came, a chain several times where others came in between. */
export const SYNC_ENDS_IN_ORDER_MAX = 1_024
/** How long after it was heard that an author may not write any more the ends of its chains are told, by chance within these, in ms. */
export const SYNC_ENDS_PAUSE_MIN_MS = 5_000
export const SYNC_ENDS_PAUSE_MAX_MS = 30_000
/** How long after that what nobody told the end of is still taken from who kept it, in ms. */
export const SYNC_LATE_MS = 30 * 24 * 60 * 60_000
/** A device that did not run for longer than this was away: its time for that stands still meanwhile. It notes so often that it runs, and keeps so many absences. */
export const SYNC_ABSENCE_MS = 24 * 60 * 60_000
export const SYNC_SEEN_EVERY_MS = 6 * 60 * 60_000
export const SYNC_ABSENCES_MAX = 64
/** So much of it for each such author, document and device that brings it, in envelopes and bytes. */
export const SYNC_LATE_ENVELOPES = 1_024
export const SYNC_LATE_BYTES = 1024 * 1024
/** From all devices of a person as much as from so many. */
export const SYNC_LATE_DEVICES_OF_PERSON = 8
/** So many times as much where nothing of the author was there and nobody else is left who could tell. */
export const SYNC_LATE_ALONE_FACTOR = 64
/** Pause before what was not taken is asked for again when the end of its chain was told, in ms. */
export const SYNC_AGAIN_MS = 2_000
/** Chains of one document that a device remembers not to have taken, so that they are not sent again. */
export const SYNC_DECLINED_MAX = 1_024
/** Most bytes of one document that wait for a key or for what comes before them, and the share of a person and of a device. */
export const SYNC_WAITING_MAX_BYTES = 1024 * 1024
export const SYNC_WAITING_PER_PERSON_MAX_BYTES = 512 * 1024
export const SYNC_WAITING_PER_AUTHOR_MAX_BYTES = 256 * 1024
/** The same over all documents. */
export const SYNC_WAITING_ALL_MAX_BYTES = 16 * 1024 * 1024
export const SYNC_WAITING_ALL_PER_PERSON_MAX_BYTES = 2 * 1024 * 1024
export const SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES = 1024 * 1024
/** What another person's devices may make this one keep of their own: at once and each second, all in all and each day, in bytes. */
export const SYNC_BUDGET_BURST_BYTES = 8 * 1024 * 1024
export const SYNC_BUDGET_BYTES_PER_S = 64 * 1024
export const SYNC_BUDGET_MAX_BYTES = 256 * 1024 * 1024
export const SYNC_BUDGET_BYTES_PER_DAY = 128 * 1024 * 1024
/** What an envelope counts beside its bytes, and what a document does. */
export const SYNC_BUDGET_ENVELOPE_BYTES = 256
export const SYNC_BUDGET_DOCUMENT_BYTES = 4_096
/** What an operation takes in memory where its document is open, beside its bytes: counted in what lasts. */
export const SYNC_BUDGET_OPERATION_BYTES = 2_048
/** What an end that is told takes in memory, also of a chain that does not exist. */
export const SYNC_BUDGET_END_BYTES = 384
/** What is counted for each chain that an author begins: what it takes in memory on every device from then on. */
export const SYNC_BUDGET_CHAIN_BYTES = 1_536
/** What they may hand on of others: all in all and each day, in bytes. */
export const SYNC_FORWARD_MAX_BYTES = 4 * 1024 * 1024 * 1024
export const SYNC_FORWARD_BYTES_PER_DAY = 1024 * 1024 * 1024
/** First and longest wait for the rest of what a device sent beyond that, in ms. */
export const SYNC_DELAY_MIN_MS = 1_000
export const SYNC_DELAY_MAX_MS = 60_000
/** A document gets a new snapshot when its log has grown by this much since the last one, in envelopes or bytes. */
export const SYNC_SNAPSHOT_ENVELOPES = 256
export const SYNC_SNAPSHOT_BYTES = 1024 * 1024
/** Of a large document no sooner than this after the last one, in ms, while it has not grown by half. */
export const SYNC_SNAPSHOT_PAUSE_MS = 60_000
/** A log that holds erased bytes is written anew when it has grown by this many envelopes since that was last done. */
export const SYNC_REWRITE_ENVELOPES = 4_096
/** And no sooner than this after it was, in ms. */
export const SYNC_REWRITE_PAUSE_MS = 10 * 60_000
/** How long the decoder may take over one update, in ms, and how much memory it may have, in MiB. */
export const SYNC_DECODE_TIMEOUT_MS = 500
export const SYNC_DECODE_HEAP_MIB = 256
/** Updates of one person, and of all who ever wrote such, that may kill the decoder at an opening or a try; the rest is read later. */
export const SYNC_DECODE_SLOW_MAX = 2
export const SYNC_DECODE_SLOW_ALL_MAX = 8
/** When what killed the decoder is read once more in a document that stays open, in ms; each time twice that, up to a most. */
export const SYNC_DECODE_AGAIN_MS = 15_000
export const SYNC_DECODE_AGAIN_MAX_MS = 600_000
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
/** Most bytes of proof that an envelope was erased: half of what an author may have waiting in a document. */
export const SYNC_PROOF_MAX_BYTES = 128 * 1024
/** Documents named in one frame. */
export const SYNC_OFFER_MAX = 256
/** How long what devices say that they hold is gathered before it is written down, in ms, and after how many bytes of it all is written anew. */
export const SYNC_HAVE_PAUSE_MS = 2_000
export const SYNC_HAVE_REWRITE_BYTES = 32 * 1024
/** What a device says that it holds beyond what is here: rows remembered over one link. */
export const SYNC_HAVE_BEYOND_MAX = 16_384
/** Streams of documents one connection may have open, each way. */
export const SYNC_STREAMS_MAX = 4
/** Pause before a session that ended is opened again, in ms; the longest where the other device keeps breaking its rules. */
export const SYNC_RETRY_MS = 2_000
export const SYNC_RETRY_MAX_MS = 120_000
/** How far ahead of this device's clock the stamp of a setting may be and still count, in ms. */
export const SYNC_SETTING_AHEAD_MS = 24 * 60 * 60_000
/** Quarantines kept. */
export const SYNC_QUARANTINES_MAX = 1_024
/** Largest presence, in bytes; how many of one author a second are heard; how long one holds, in ms. */
export const AWARENESS_MAX_BYTES = 1_024
export const AWARENESS_PER_SECOND = 5
/** How many of one device are heard a second over all documents, and for how many of both that is remembered. */
export const AWARENESS_OF_DEVICE_PER_SECOND = 50
export const AWARENESS_HEARD_MAX = 4_096
export const AWARENESS_HOLDS_MS = 30_000
