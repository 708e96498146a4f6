import { circuitRelayServer } from '@libp2p/circuit-relay-v2'

/** What a relay gives, per device and in all. */
export interface RelayQuotas {
  /** Devices that may be reachable through it at once. */
  readonly reservations: number
  /** How long a reservation lasts before it is renewed, in ms. */
  readonly reservationMs: number
  /** How long one relayed connection may last, in ms. */
  readonly connectionMs: number
  /** How much one relayed connection may carry each way, in bytes. */
  readonly connectionBytes: number
}

/**
 * Quotas of the relay inside a helper, for the devices of one mesh. A network that
 * keeps its devices apart leaves them no other way: a link through it has room for
 * an hour of questions and answers, and is dialled anew at the end.
 */
export const HELPER_QUOTAS: RelayQuotas = {
  reservations: 256,
  reservationMs: 2 * 60 * 60_000,
  connectionMs: 60 * 60_000,
  connectionBytes: 64 * 1024 * 1024,
}

/** Quotas of a relay that serves anyone. */
export const OPEN_QUOTAS: RelayQuotas = {
  reservations: 512,
  reservationMs: 60 * 60_000,
  connectionMs: 2 * 60_000,
  connectionBytes: 128 * 1024,
}

/**
 * The relay as a service of a libp2p node (circuit relay v2): it forwards sealed
 * bytes between devices so that they can set up a link of their own, and keeps
 * nothing. Whom it serves is decided by the node's gate.
 */
export function relayService(quotas: RelayQuotas): ReturnType<typeof circuitRelayServer> {
  return circuitRelayServer({
    reservations: {
      maxReservations: quotas.reservations,
      reservationTtl: quotas.reservationMs,
      defaultDurationLimit: quotas.connectionMs,
      defaultDataLimit: BigInt(quotas.connectionBytes),
    },
    maxInboundHopStreams: 64,
    maxOutboundHopStreams: 64,
    maxOutboundStopStreams: 256,
  })
}
