/** Longest text of a person's message, in UTF-16 code units: a long book chapter; more belongs into a file. */
export const QUESTION_MAX_LENGTH = 1_000_000
/** Longest text of one answer, in UTF-16 code units; what an engine sends beyond it is dropped and said. */
export const ANSWER_MAX_LENGTH = 4_000_000
/** Longest title a person may give, in UTF-16 code units. */
export const TITLE_MAX_LENGTH = 200
/** Longest title made from a first message, in characters. */
export const DERIVED_TITLE_MAX_LENGTH = 60
/** Longest excerpt in the list of chats, in characters. */
export const EXCERPT_MAX_LENGTH = 120
/** Largest entry that is decoded, in bytes: an answer at its limit, three bytes a unit, and its route. */
export const ENTRY_MAX_BYTES = 16 * 1024 * 1024
/** Text of a running answer is on its way to the store after this long, so that it is durable within 500 ms. */
export const FLUSH_AFTER_MS = 350
/** A running answer is kept in records of about this many UTF-16 code units, so that no write grows with it. */
export const DRAFT_PART_LENGTH = 16_384
/** First pause before text that could not be stored is tried again; it doubles up to {@link RETRY_MAX_MS}. */
export const RETRY_FIRST_MS = 2_000
/** Longest pause between two tries to store text. */
export const RETRY_MAX_MS = 60_000
/** Logs read at once while the chats are opened. */
export const PARALLEL_READS = 32
/** Documents of chats that are held open, and so in memory, at once. */
export const MIRRORED_OPEN_MAX = 4
/** Most operations, and bytes of them unless a single one is larger, that go from log to document, or back, in one write. */
export const MIRRORED_BATCH_ENTRIES = 256
export const MIRRORED_BATCH_BYTES = 4 * 1024 * 1024
