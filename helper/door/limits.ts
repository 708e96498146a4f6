/** Every number of the helper's one TCP port: value, unit, why, and what happens at it. `docs/gateway.md` repeats them, and a test compares the two. */
export const DOOR_LIMITS = {
  /** TCP connections at once, visits and peers together. Above: the visit that was silent longest gives way. */
  connections: 1_024,
  /** Connections from one address of the network, so that one device cannot shut out the others. Above: closed at once. */
  connectionsPerAddress: 128,
  /** Requests of one connection that wait for the answer to the one before. Above: closed. */
  requestsWaiting: 16,
  /** Who was refused has this long to read why. Then: closed. */
  refusedMs: 1_000,
  /** Who connects has this long to send a first byte, so that silence holds no place. Then: closed. */
  firstByteMs: 10_000,
  /** A TLS handshake must be done within this. Then: closed. */
  handshakeMs: 10_000,
  /** A whole request (head and body) must have arrived within this. Above: 408. */
  requestMs: 30_000,
  /** The head of a request must have arrived within this. Above: 408. */
  headMs: 10_000,
  /** Pause between two looks for requests that are late. */
  timeCheckMs: 5_000,
  /** How long a close waits for open answers to end before it cuts them. */
  closeGraceMs: 2_000,
  /** Pause between two looks for connections that fell idle while the port closes. */
  closeSweepMs: 20,
} as const
