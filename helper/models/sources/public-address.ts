import { BlockList, isIPv4, isIPv6 } from 'node:net'

/**
 * Which addresses a download may connect to: an allow-list of the blocks given
 * out for public use, less the special ones inside them. A list of what is
 * forbidden forgets ranges; this one forgets to allow instead.
 * Source: IANA IPv4/IPv6 special-purpose address registries (RFC 6890).
 */
const notPublic4 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
] as const) {
  notPublic4.addSubnet(network, bits, 'ipv4')
}

const public4 = new BlockList()
public4.addRange('1.0.0.0', '223.255.255.255', 'ipv4')

/** IPv6 global unicast, the only block given out so far. */
const public6 = new BlockList()
public6.addSubnet('2000::', 3, 'ipv6')

const notPublic6 = new BlockList()
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4 carries any IPv4 address inside, private ones too
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
] as const) {
  notPublic6.addSubnet(network, bits, 'ipv6')
}

/** True for a unicast address of the public internet; false for anything else, names included. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return public4.check(address, 'ipv4') && !notPublic4.check(address, 'ipv4')
  // Mapped and translated forms (::ffff:…, 64:ff9b::…) lie outside 2000::/3 and so are refused.
  if (isIPv6(address)) return public6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6')
  return false
}

/** True for 127.0.0.0/8 and ::1. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}
