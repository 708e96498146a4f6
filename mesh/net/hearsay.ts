import type { Connection } from '@libp2p/interface'
import { ADDRESSES_MAX, HEARSAY_FAR_PRICE, type Clock, type DeviceId } from '../base/index.ts'
import { authorize, type Membership } from '../identity/index.ts'
import type { AddressBook } from './address-book.ts'
import { hostOf, isPlainAddress, isSameHost, placeOf, placeOfAddress } from './address-rules.ts'
import { createDialBudget } from './dial-budget.ts'
import { createDialPauses } from './dial-pauses.ts'
import type { DialGate } from './dial.ts'

/** Who told an address: a device, or a packet of the local network. */
export type Teller = DeviceId | typeof NETWORK

const NETWORK = 'network'

/** Where a device may be dialled right now. */
export interface Places {
  /** Where it was reached, then what is told of it and not left alone after a failure. */
  readonly addresses: readonly string[]
  /** True: nothing at all is known, not even what is left alone. */
  readonly unknown: boolean
  /** When the first address that is left alone may be dialled again, in ms; undefined: none is. */
  readonly againMs: number | undefined
  /**
   * Lets proven addresses pass, and told ones as long as a teller of theirs has not caused too
   * many dials. `addressOf` names the address in a way; what it does not name passes.
   */
  gate(addressOf: ReadonlyMap<string, string>): DialGate
}

/**
 * What is believed of where devices are, and what is paid for believing it. Whoever is a
 * device of the mesh could otherwise make all others connect to any host and port.
 */
export interface Hearsay {
  /** The addresses that may be of this device, from a teller that is connected from these hosts. */
  believed(addresses: readonly string[], id: DeviceId, tellerHosts: readonly string[]): string[]
  places(id: DeviceId): Places
  /** The device was noticed on the local network. Returns what of it is believed. */
  noticed(id: DeviceId, addresses: readonly string[]): readonly string[]
  /** Its key answered there, outside the supervision of links. */
  reached(id: DeviceId, address: string): void
  /** Somebody says anew that the device is there: tried once more, for who said it. */
  lift(id: DeviceId, addresses: readonly string[]): void
  /** This device itself moved or woke. */
  clear(): void
  /** The device does not belong any more. */
  forget(id: DeviceId): void
}

interface HearsayPorts {
  readonly membership: Membership
  readonly book: AddressBook
  readonly clock: Clock
  readonly canDial: (address: string) => boolean
  /** The hosts a device is connected from or to without a relay. */
  readonly hostsOf: (id: DeviceId) => readonly string[]
  /** What linked devices say of where this one is. */
  readonly hintsOf: (id: DeviceId) => Iterable<{ readonly teller: DeviceId; readonly addresses: readonly string[] }>
}

/** Keeps it in memory; only what is proven and what devices say of themselves outlives a restart, in the book. */
export function createHearsay(ports: HearsayPorts): Hearsay {
  const { membership, book, clock } = ports
  const budget = createDialBudget(
    clock,
    (payer) => payer === NETWORK || payer === membership.admitted(membership.self)?.person,
  )
  const pauses = createDialPauses(clock)
  const noticedAt = new Map<DeviceId, readonly string[]>()
  const reachedAt = new Map<DeviceId, string>()

  /** The person whose device told it, so that many devices are one teller. */
  const payerOf = (teller: Teller): string =>
    teller === NETWORK ? NETWORK : (membership.admitted(teller)?.person ?? teller)

  const isReached = (id: DeviceId, address: string): boolean =>
    book.isProven(id, address) || reachedAt.get(id) === address

  const reachedOf = (id: DeviceId): string[] =>
    [...new Set([reachedAt.get(id) ?? [], book.addresses(id)].flat())].filter((address) => isReached(id, address))

  /** What a dial of a told address costs its teller: the more, the less likely it is an honest one. */
  const priceOf = (id: DeviceId, address: string): number => {
    const host = hostOf(address)
    if (host === undefined || placeOf(host) !== 'public') return 1
    const seen = [...ports.hostsOf(id), ...reachedOf(id).flatMap((one) => hostOf(one) ?? [])]
    return seen.some((one) => isSameHost(one, host)) ? 1 : HEARSAY_FAR_PRICE
  }

  /** Everything that is told and not proven, with those who told it. */
  const toldOf = (id: DeviceId): Map<string, Teller[]> => {
    const told = new Map<string, Teller[]>()
    const add = (address: string, teller: Teller): void => {
      if (isReached(id, address) || !ports.canDial(address)) return
      told.set(address, [...(told.get(address) ?? []), teller])
    }
    for (const address of book.addresses(id)) add(address, id)
    for (const address of noticedAt.get(id) ?? []) add(address, NETWORK)
    for (const { teller, addresses } of ports.hintsOf(id)) for (const address of addresses) add(address, teller)
    return told
  }

  const gateFor = (
    id: DeviceId,
    told: ReadonlyMap<string, readonly Teller[]>,
    addressOf: ReadonlyMap<string, string>,
  ): DialGate => ({
    admits(way) {
      const address = addressOf.get(way)
      const tellers = address === undefined ? undefined : told.get(address)
      if (address === undefined || tellers === undefined) return true
      if (pauses.leftMs(id, address) > 0) return false
      const price = priceOf(id, address)
      return tellers.some((teller) => budget.take(payerOf(teller), price))
    },
    worked(way, connection) {
      const address = addressOf.get(way)
      if (address === undefined || !isOf(connection, id)) return
      pauses.worked(id, address)
      book.prove(id, address)
    },
    failed(way) {
      const address = addressOf.get(way)
      if (address !== undefined && told.has(address)) pauses.failed(id, address)
    },
  })

  return {
    believed(addresses, id, tellerHosts) {
      // loopback is another machine's everywhere else than on that very machine
      const isHere = tellerHosts.some((host) => placeOf(host) === 'loopback')
      return addresses
        .filter((address) => isPlainAddress(address, id))
        .filter((address) => isHere || placeOfAddress(address) !== 'loopback')
        .slice(0, ADDRESSES_MAX)
    },
    places(id) {
      // whoever may not say where it is is dialled nowhere: it dials by itself
      const isDialled = authorize(membership.subject(id), 'hint', 'self').allowed
      const proven = isDialled ? reachedOf(id).filter(ports.canDial) : []
      const told = isDialled ? toldOf(id) : new Map<string, Teller[]>()
      const leftMs = [...told.keys()].map((address) => pauses.leftMs(id, address))
      const paused = leftMs.filter((ms) => ms > 0)
      return {
        addresses: [...proven, ...[...told.keys()].filter((_, index) => leftMs[index] === 0)],
        unknown: proven.length + told.size === 0,
        againMs: paused.length === 0 ? undefined : Math.min(...paused),
        gate: (addressOf) => gateFor(id, told, addressOf),
      }
    },
    noticed(id, addresses) {
      const plain = addresses.filter((address) => isPlainAddress(address, id)).slice(0, ADDRESSES_MAX)
      noticedAt.set(id, plain)
      return plain
    },
    reached(id, address) {
      reachedAt.set(id, address)
    },
    lift(id, addresses) {
      for (const address of addresses) pauses.lift(id, address)
    },
    clear() {
      pauses.clear()
    },
    forget(id) {
      noticedAt.delete(id)
      reachedAt.delete(id)
    },
  }
}

/** Whether a connection is of the device that was dialled: its key answered. */
export function isOf(connection: Connection, id: DeviceId): boolean {
  return connection.remotePeer.toString() === id
}
