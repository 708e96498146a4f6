import { randomInt, type Random } from '../base/index.ts'

/** Somebody who takes a place, and how to make it go. */
export interface Guest {
  /** Where it comes from: a host. Many of one host are one crowd. */
  readonly source: string
  leave(): void
}

/** Places for those who have proven nothing yet. */
export interface Places {
  /** Takes a place; when there is none, one of the largest crowd loses its own. Call the returned function when it is over. */
  take(guest: Guest): () => void
  readonly taken: number
}

/**
 * A newcomer always finds a place: who has to go is drawn by lot among those of the host
 * that has the most. Nobody can fill the places, neither from one host nor, where all come
 * from one, by being first; whoever is honest and unlucky comes again.
 */
export function createPlaces(count: number, random: Random): Places {
  const crowds = new Map<string, Set<Guest>>()
  let taken = 0
  const remove = (guest: Guest): void => {
    const crowd = crowds.get(guest.source)
    if (crowd?.delete(guest) !== true) return
    taken -= 1
    if (crowd.size === 0) crowds.delete(guest.source)
  }
  const makeRoom = (): void => {
    const largest = [...crowds.values()].reduce((a, b) => (b.size > a.size ? b : a))
    const unlucky = [...largest][randomInt(random, largest.size)]
    if (unlucky === undefined) return
    remove(unlucky)
    unlucky.leave()
  }
  return {
    get taken() {
      return taken
    },
    take(guest) {
      if (taken >= count) makeRoom()
      const crowd = crowds.get(guest.source) ?? new Set()
      crowd.add(guest)
      crowds.set(guest.source, crowd)
      taken += 1
      return () => {
        remove(guest)
      }
    },
  }
}

/** A connection as far as it is counted. */
export interface Counted {
  readonly openedAtMs: number
  readonly streams: number
}

/** The connections of one device that are more than it may have: those with the least on them, oldest first. */
export function surplus<Own extends Counted>(connections: readonly Own[], max: number): readonly Own[] {
  return [...connections]
    .sort((a, b) => a.streams - b.streams || a.openedAtMs - b.openedAtMs)
    .slice(0, Math.max(0, connections.length - max))
}

/** The host of an address; whatever has none, a relayed one say, is its own kind. */
export function sourceOf(address: string): string {
  const [, family, host] = /^\/(ip4|ip6|dns4|dns6|memory)\/([^/]+)/.exec(address) ?? []
  if (family === undefined || host === undefined) return 'elsewhere'
  // whoever has one address of a network of IPv6 has all of it
  return family === 'ip6' && !host.includes('.') ? host.split(':').slice(0, 4).join(':') : host
}
