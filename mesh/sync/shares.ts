import type { DeviceId } from '../base/index.ts'

/** Where something of an author is kept, that can let go of it. */
export interface SharePlace {
  /** Lets go of the oldest of an author, and says so to {@link Shares.add}. */
  letGo(author: DeviceId): void
}

/** Most bytes in all, of all devices of a person, and of one device. */
export interface ShareBounds {
  readonly maxBytes: number
  readonly personMaxBytes: number
  readonly authorMaxBytes: number
}

/**
 * Memory that many share, by person, and what a person has by device. Where it is full, who has most lets go, be it
 * who came last or not: one who has less than half of that loses nothing, however many devices and places fill it.
 */
export interface Shares {
  /** So much more of an author is there; less than 0 where it is gone. */
  add(author: DeviceId, bytes: number, place: SharePlace): void
  /** Has what is too much let go of, after something of this author was added. */
  makeRoom(author: DeviceId): void
  readonly sizeBytes: number
}

interface OfAuthor {
  /** As it was when the first of it came: whose device it is may be known otherwise later. */
  readonly person: string
  readonly places: Sizes<SharePlace>
}

/** Nobody has anything yet. */
export function createShares(bounds: ShareBounds, personOf: (author: DeviceId) => string): Shares {
  const persons = createSizes<string>()
  const devices = new Map<string, Sizes<DeviceId>>()
  const authors = new Map<DeviceId, OfAuthor>()

  const letGoOf = (author: DeviceId | undefined): void => {
    if (author !== undefined) authors.get(author)?.places.largest()?.letGo(author)
  }
  const letGoOfPerson = (person: string | undefined): void => {
    if (person !== undefined) letGoOf(devices.get(person)?.largest())
  }

  return {
    get sizeBytes() {
      return persons.sum()
    },
    add(author, bytes, place) {
      const ofAuthor = authors.get(author) ?? { person: personOf(author), places: createSizes() }
      const { person, places } = ofAuthor
      const ofPerson = devices.get(person) ?? createSizes()
      authors.set(author, ofAuthor)
      devices.set(person, ofPerson)
      places.add(place, bytes)
      ofPerson.add(author, bytes)
      persons.add(person, bytes)
      if (places.sum() === 0) authors.delete(author)
      if (ofPerson.sum() === 0) devices.delete(person)
    },
    makeRoom(author) {
      const person = authors.get(author)?.person
      while ((authors.get(author)?.places.sum() ?? 0) > bounds.authorMaxBytes) letGoOf(author)
      while (person !== undefined && persons.of(person) > bounds.personMaxBytes) letGoOfPerson(person)
      while (persons.sum() > bounds.maxBytes) letGoOfPerson(persons.largest())
    },
  }
}

/** How much each has, and one that has about the most. */
interface Sizes<Holder> {
  add(holder: Holder, bytes: number): void
  of(holder: Holder): number
  sum(): number
  /** Nobody has twice as much; undefined when nobody has anything. */
  largest(): Holder | undefined
}

function createSizes<Holder>(): Sizes<Holder> {
  const sizes = new Map<Holder, number>()
  /** By the number of binary digits of the size: found at once, however many there are. */
  const byDigits: Set<Holder>[] = []
  let total = 0
  const digitsOf = (bytes: number): number => 32 - Math.clz32(bytes)

  return {
    add(holder, bytes) {
      const before = sizes.get(holder) ?? 0
      const after = before + bytes
      total += bytes
      if (after > 0) sizes.set(holder, after)
      else sizes.delete(holder)
      if (digitsOf(before) === digitsOf(after)) return
      byDigits[digitsOf(before)]?.delete(holder)
      if (after > 0) (byDigits[digitsOf(after)] ??= new Set()).add(holder)
    },
    of: (holder) => sizes.get(holder) ?? 0,
    sum: () => total,
    largest() {
      for (let digits = byDigits.length - 1; digits > 0; digits--) {
        const [one] = byDigits[digits] ?? []
        if (one !== undefined) return one
      }
      return undefined
    },
  }
}
