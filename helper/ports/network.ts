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
