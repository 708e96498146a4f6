import { inDialOrder } from './dial.ts'

/**
 * Addresses with all ways to one host together, its best first, and loopback last:
 * wherever a list is cut, what remains has every way to the likeliest hosts, and not
 * one way to all of them.
 */
export function byHost(addresses: readonly string[]): string[] {
  const hosts = new Map<string, string[]>()
  // WebSockets are told in the order of how likely a network leads to other devices
  const first = addresses.filter((address) => /\/ws(?:\/|$)/.test(address))
  for (const address of [...first, ...addresses]) {
    const host = /^\/[^/]+\/[^/]+/.exec(address)?.[0] ?? ''
    const known = hosts.get(host) ?? []
    hosts.set(host, known)
    if (!known.includes(address)) known.push(address)
  }
  const groups = [...hosts].map(([host, all]) => ({ isLoopback: /^\/ip4\/127\.|^\/ip6\/::1$/.test(host), all }))
  return groups.sort((a, b) => Number(a.isLoopback) - Number(b.isLoopback)).flatMap(({ all }) => inDialOrder(all))
}
