import { isIPv4 } from 'node:net'
import type { PeerCallers } from '../door/index.ts'
import type { TrustState } from '../trust/index.ts'

/** Where a link will be opened: in a browser of this machine, or on another device. */
export type Place = 'here' | 'elsewhere'

/** What is open, trusted and named now. */
export interface Whereabouts {
  /** The one TCP port. */
  readonly port: number
  /** Whether the local network is open. */
  readonly lan: boolean
  /** Addresses of this machine on its networks, the likeliest first. */
  readonly addresses: readonly string[]
  readonly trust: TrustState
  /** A copy of the page on an HTTPS host, if the person has one. */
  readonly publicPage?: string | undefined
}

/** The name under which a helper answers on its network by mDNS. */
const LOCAL_NAME = 'plexus.local'

/**
 * The page to open at a place, best first: a name of the person's own, their copy of
 * the page on an HTTPS host, the helper's own HTTPS. Undefined: there is none, because
 * a link that carries a secret never leads over plain HTTP beyond this machine.
 */
export function pageAt(place: Place, where: Whereabouts): string | undefined {
  const { port, lan, addresses, trust, publicPage } = where
  if (place === 'here') return `http://127.0.0.1:${String(port)}/`
  const name = trust.kind === 'own-certificate' ? trust.names.find(isDialable) : undefined
  if (lan && name !== undefined) return `https://${name}:${String(port)}/`
  if (publicPage !== undefined) return publicPage
  const address = trust.kind === 'own-authority' ? addresses.find((one) => trust.names.includes(one)) : undefined
  return lan && address !== undefined ? `https://${address}:${String(port)}/` : undefined
}

/** Where a device of the network learns to trust this helper: in the clear, because it does not trust it yet. */
export function trustPageUrl({ lan, addresses, trust, port }: Whereabouts): string | undefined {
  const [address] = addresses
  const isOfUse = lan && trust.kind === 'own-authority' && address !== undefined
  return isOfUse ? `http://${address}:${String(port)}/trust` : undefined
}

/** Names under which the local network may address the port; none while it is closed. */
export function networkNames({ lan, addresses, trust }: Whereabouts): string[] {
  if (!lan) return []
  return [...addresses, LOCAL_NAME, ...(trust.kind === 'own-certificate' ? trust.names : [])]
}

/** Whose pages may open the WebSocket of the peer: its own, the person's copy, and origins they named. */
export function peerCallers(where: Whereabouts, pageOrigins: readonly string[]): PeerCallers {
  const copy = where.publicPage === undefined ? [] : [new URL(where.publicPage).origin]
  return { networkNames: networkNames(where), pageOrigins: [...copy, ...pageOrigins] }
}

/**
 * Multiaddrs of the WebSocket of peers: over TLS where a certificate names the
 * address, and in the clear, which Noise protects all the same.
 */
export function entranceAddresses({ lan, addresses, trust, port }: Whereabouts): string[] {
  const network = lan ? addresses : []
  const end = `/tcp/${String(port)}`
  const plain = [...network, '127.0.0.1'].map((ip) => `/ip4/${ip}${end}/ws`)
  return [...secureHosts(network, trust).map((host) => `${host}${end}/tls/ws`), ...plain]
}

function secureHosts(network: readonly string[], trust: TrustState): string[] {
  if (trust.kind === 'off' || network.length === 0) return []
  const named = network.filter((ip) => trust.names.includes(ip)).map((ip) => `/ip4/${ip}`)
  if (trust.kind === 'own-authority') return named
  return [...trust.names.filter((name) => isDialable(name) && !isIPv4(name)).map((name) => `/dns4/${name}`), ...named]
}

/** A whole name: no wildcard, and nothing that a URL or multiaddr would read as more than a host. */
function isDialable(name: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)
}
