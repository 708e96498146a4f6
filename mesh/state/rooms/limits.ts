// What this device does, and how often. What the devices must agree on is in mesh/base/limits.ts.

/** What took longer than this to come may be called late, in ms: below it is a conversation. */
export const LATE_AFTER_MS = 60_000
/** What stood on the screen this long was seen to be the last, in ms. */
export const SETTLED_AFTER_MS = 10_000
/** Text of an answer is told to the others at most this often, in ms: each piece is an operation for all. */
export const PART_EVERY_MS = 1_000
/** An answer whose device says nothing for this long reads as interrupted, in ms. */
export const SILENT_ANSWER_MS = 30_000
/** Presence is told again after this long, in ms, so that it does not run out. */
export const PRESENCE_AGAIN_MS = 15_000
/** Read marks are written at most this often, in ms. */
export const MARK_EVERY_MS = 3_000
/** Own marks that stay beside a new one that could not say all they said. */
export const MARKS_KEPT = 7
/** First and longest pause before text that could not be stored is tried again, in ms. */
export const ROOM_RETRY_FIRST_MS = 2_000
export const ROOM_RETRY_MAX_MS = 60_000
/** Own messages whose receipts are kept in step; older ones keep what was last known. */
export const RECEIPTS_FOLLOWED = 200
/** Results a search gives. */
export const SEARCH_RESULTS_MAX = 100
/** Text a search looks at, in UTF-16 units as it is compared; and of that as much is kept in memory. */
export const SEARCH_SCAN_MAX_LENGTH = 20_000_000
/** A search works this long in all, in ms, and this long before everything else has its turn. */
export const SEARCH_WORK_MAX_MS = 1_000
export const SEARCH_SLICE_MS = 8
/** Text that is made comparable at once, in UTF-16 units: some ms, whatever its letters become. */
export const SEARCH_SLICE_LENGTH = 2_048
/** Words a search looks for at once. */
export const SEARCH_WORDS_MAX = 8
/** Longest search, in UTF-16 units. */
export const SEARCH_MAX_LENGTH = 200
/** Text of a room that goes into a prompt beside the question, in UTF-16 units: about 1,500 tokens, which the smallest models read. */
export const CONTEXT_MAX_LENGTH = 6_000
/** Messages of a room that go into a prompt. */
export const CONTEXT_MAX_MESSAGES = 40
/** Answers a device may name as being written in its presence. */
export const ANSWERING_MAX = 8
/** Largest entry in the log of arrivals, in bytes. */
export const ARRIVALS_ENTRY_MAX_BYTES = 64 * 1024
/** Largest value arrivals are gathered in, in bytes: a million messages. */
export const ARRIVALS_GATHERED_MAX_BYTES = 64 * 1024 * 1024
/** Entries in the log of arrivals before they are gathered in one value. */
export const ARRIVALS_LOG_MAX = 256
/** How often an attended room is looked at for receipts and silent answers, in ms: neither has an event. */
export const RECEIPTS_EVERY_MS = 2_000
/** The list keeps what was last seen of a room this long after it changed, in ms. */
export const SUMMARY_AFTER_MS = 1_000
/** Rooms that are not open are looked at for the list one by one: the pause between two at least, in ms, and as a multiple of what the last took. */
export const LIST_TURN_PAUSE_MS = 250
export const LIST_TURN_PAUSE_FACTOR = 4
/** The same room is looked at again no sooner than after this multiple of what it took. */
export const LIST_TURN_REST_FACTOR = 32
/** Largest record of a room in the list, in bytes. */
export const SUMMARY_MAX_BYTES = 16 * 1024
