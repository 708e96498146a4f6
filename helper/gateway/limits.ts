/** Every number of the gateway: value, unit, why, and what happens at it. `docs/gateway.md` repeats them, and a test compares the two. */
export const GATEWAY_LIMITS = {
  /** Largest request body, in bytes: far above any prompt that fits a context here. Above: 413. */
  bodyBytes: 4 * 1024 * 1024,
  /** What is read and thrown away of a body that is too large, so that its sender hears why. Above: cut. */
  discardBytes: 64 * 1024 * 1024,
  /** Most messages in one request, as OpenAI's. Above: 400. */
  messages: 2_048,
  /** Most stop strings, as OpenAI's. Above: 400. */
  stopStrings: 4,
  /** Longest stop string, in characters: each is searched for in every token. Above: 400. */
  stopCharacters: 1_024,
  /** How long the status line of a stream waits for the first text, so that a refusal keeps its own status. */
  headersHoldMs: 5_000,
  /** Pause after which a silent stream gets a comment, so that clients and proxies keep it. */
  keepAliveMs: 5_000,
  /** A reader of a stream that takes nothing for this long is cut, so that it holds no engine. */
  stalledReaderMs: 30_000,
  /** What `Retry-After` says when nothing better is known, in ms. */
  retryAfterMs: 2_000,
  /** Open event sockets at once. Above: 503. */
  eventSockets: 32,
  /** Unsent bytes of one event socket. Above: cut. */
  eventBufferBytes: 1024 * 1024,
  /** Largest message an event socket may send to us: it has nothing to say. Above: closed with 1009. */
  eventMessageBytes: 1_024,
  /** Ping of the event sockets; one that did not answer the last ping is closed. */
  eventPingMs: 15_000,
  /** Copies of page files kept in memory, in bytes. Above: the oldest are dropped. */
  pageCacheBytes: 32 * 1024 * 1024,
} as const
