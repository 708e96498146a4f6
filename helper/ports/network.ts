import { networkInterfaces } from 'node:os'

/** Interfaces that lead to containers and virtual machines of this computer, not to other devices. */
const INNER = /^(?:docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|podman|lxc|lxd)/

/**
 * IPv4 addresses under which other devices may reach this one, those that lead to
 * real networks first. Loopback is not among them, nor addresses that a link made up
 * for want of a network (169.254/16).
 */
export function networkAddresses(): string[] {
  const found = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? [])
      .filter((one) => one.family === 'IPv4' && !one.internal && !one.address.startsWith('169.254.'))
      .map((one) => ({ address: one.address, isInner: INNER.test(name) })),
  )
  return found.sort((a, b) => Number(a.isInner) - Number(b.isInner)).map((one) => one.address)
}

/** Networks that no packet crosses the internet from (RFC 1918, 3927, 6598). */
const PRIVATE = [
  [ip(10, 0), 8],
  [ip(172, 16), 12],
  [ip(192, 168), 16],
  [ip(169, 254), 16],
  [ip(100, 64), 10],
  [ip(127, 0), 8],
] as const

/** Whether an IPv4 address is of a private network, or of one that this machine is on. */
export function isLocalAddress(address: string): boolean {
  const number = toNumber(address)
  return [...PRIVATE, ...ownNetworks()].some(([base, bits]) => (number ^ base) >>> (32 - bits) === 0)
}

function ownNetworks(): (readonly [base: number, bits: number])[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ family, cidr }) => {
      const [base = '', bits = '0'] = cidr?.split('/') ?? []
      // a mask of all addresses would make everybody local
      return family === 'IPv4' && Number(bits) >= 8 ? [[toNumber(base), Number(bits)] as const] : []
    }),
  )
}

function ip(first: number, second: number): number {
  return (first << 24) | (second << 16)
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0)
}
