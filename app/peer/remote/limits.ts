// Numbers at which one tab says no to another. Tabs of one profile trust each other,
// but one of them may be of another version, or run wild.

/** How long a call may stay untaken before the leading tab is taken for silent, in ms: a tab that lives answers at once, hidden or not. */
export const TAKEN_WITHIN_MS = 3_000
/** How long a wish waits for some tab to lead, in ms: longer than a silent leader is found, asked and robbed. */
export const PLACE_WITHIN_MS = 12_000
/** Calls of one tab that may be open at once: a person makes a handful. */
export const CALLS_MAX = 64
/** Items of a stream that may be on their way before the reader grants more. */
export const STREAM_CREDIT = 64
/** The reader grants more when it has taken this many. */
export const STREAM_GRANT = 32
/** A stream whose reader grants nothing for this long is given up, in ms: its tab is gone, and an engine works for it. */
export const STREAM_IDLE_MS = 60_000
/** At most this often the other tabs are told news, in ms: about twice a frame of a screen. */
export const TELL_EVERY_MS = 33
/** Events told at once; when more wait, they are told before their time. */
export const EVENTS_AT_ONCE = 1_024
/** Most items of any list that crosses: devices, models, answers on their way, lines of the ledger. */
export const ITEMS_MAX = 100_000
/** Longest name, sentence or link that crosses, in UTF-16 units. */
export const LINE_MAX_LENGTH = 20_000
