import { isIPv4 } from 'node:net'

/** Names the authority may speak for. A name permits what stands below it too (RFC 5280, 4.2.1.10). */
export const PERMITTED_NAMES = ['plexus.local', 'localhost'] as const

/**
 * Networks the authority may speak for: private, link-local, loopback and carrier
 * ones, where no website is (RFC 1918, 3927, 6598, 4193, 4291). Both families are
 * listed: a list that left one out would leave it unconstrained.
 */
export const PERMITTED_NETWORKS = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '127.0.0.0/8',
  '100.64.0.0/10',
  'fc00::/7',
  'fe80::/10',
  '::1/128',
] as const

const SEQUENCE = 0x30
/** [0] of NameConstraints: permittedSubtrees. */
const PERMITTED_SUBTREES = 0xa0
/** [2] and [7] of GeneralName. */
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

/**
 * The value of the extension NameConstraints (2.5.29.30) in DER (RFC 5280, 4.2.1.10):
 * what every authority may speak for, and these addresses of the machine itself, for
 * networks whose devices have public ones.
 */
export function nameConstraints(ownAddresses: readonly string[] = []): Uint8Array {
  const names = PERMITTED_NAMES.map((name) => der(DNS_NAME, new TextEncoder().encode(name)))
  const networks = PERMITTED_NETWORKS.map((network) => der(IP_ADDRESS, addressAndMask(network)))
  const subtrees = [...names, ...networks].map((base) => der(SEQUENCE, base))
  const own = ownAddresses.filter((address) => isIPv4(address) && !isPermitted(address)).map(ownSubtree)
  return der(SEQUENCE, der(PERMITTED_SUBTREES, concat([...subtrees, ...own])))
}

/** Whether an authority with these constraints may speak for a name or an IPv4 address. */
export function mayName(constraints: Uint8Array, name: string): boolean {
  return isPermitted(name) || (isIPv4(name) && Buffer.from(constraints).includes(Buffer.from(ownSubtree(name))))
}

function ownSubtree(address: string): Uint8Array {
  return der(SEQUENCE, der(IP_ADDRESS, addressAndMask(`${address}/32`)))
}

/** Whether every authority may speak for this: one name outside makes browsers refuse a whole leaf. */
export function isPermitted(name: string): boolean {
  if (isIPv4(name)) return IPV4_NETWORKS.some(([base, mask]) => ((toNumber(name) ^ base) & mask) === 0)
  return PERMITTED_NAMES.some((permitted) => name === permitted || name.endsWith(`.${permitted}`))
}

const IPV4_NETWORKS = PERMITTED_NETWORKS.filter((network) => !network.includes(':')).map((network) => {
  const [address = '', bits = '0'] = network.split('/')
  return [toNumber(address), maskOf(Number(bits))] as const
})

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0)
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : -1 << (32 - bits)
}

/** Type, length, value. Nothing here is longer than 65,535 bytes. */
function der(type: number, value: Uint8Array): Uint8Array {
  const { length } = value
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return concat([Uint8Array.of(type, ...head), value])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Address and mask, one behind the other, as the constraint of an address is written. */
function addressAndMask(network: string): Uint8Array {
  const [address = '', bits = '0'] = network.split('/')
  const bytes = address.includes(':') ? ipv6Bytes(address) : address.split('.').map(Number)
  const mask = bytes.map((_, index) => (0xff << (8 - Math.min(8, Math.max(0, Number(bits) - index * 8)))) & 0xff)
  return Uint8Array.of(...bytes, ...mask)
}

function ipv6Bytes(address: string): number[] {
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)))
  const front = groups(head)
  const back = groups(tail)
  const middle = Array.from({ length: 8 - front.length - back.length }, () => 0)
  return [...front, ...middle, ...back].flatMap((group) => [group >> 8, group & 0xff])
}
