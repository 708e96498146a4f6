// Sets of entries, by their place in this device's graph. A page of 1,024 places is
// shared by all sets that agree on it: in a long history nearly all pages are, so that
// 10,000 entries with all their ancestors take a few megabytes.

const PAGE_WORDS = 32
const PAGE_BITS = PAGE_WORDS * 32

type Page = Uint32Array

/** A set of places, never changed. */
export type Places = readonly (Page | undefined)[]

/** The set with nothing in it. */
export const NO_PLACES: Places = []

/** True when the place is in the set. */
export function hasPlace(places: Places, place: number): boolean {
  const page = places[Math.floor(place / PAGE_BITS)]
  if (page === undefined) return false
  return ((page[(place % PAGE_BITS) >>> 5] ?? 0) & (1 << (place & 31))) !== 0
}

/** The set with one place more. */
export function withPlace(places: Places, place: number): Places {
  const at = Math.floor(place / PAGE_BITS)
  const next = places.slice()
  while (next.length <= at) next.push(undefined)
  const page = next[at]?.slice() ?? new Uint32Array(PAGE_WORDS)
  const word = (place % PAGE_BITS) >>> 5
  page[word] = (page[word] ?? 0) | (1 << (place & 31))
  next[at] = page
  return next
}

/** A set of places that grows. */
export type GrowingPlaces = (Page | undefined)[]

/** Puts a place into a set that grows. */
export function addPlace(places: GrowingPlaces, place: number): void {
  const at = Math.floor(place / PAGE_BITS)
  while (places.length <= at) places.push(undefined)
  const page = (places[at] ??= new Uint32Array(PAGE_WORDS))
  const word = (place % PAGE_BITS) >>> 5
  page[word] = (page[word] ?? 0) | (1 << (place & 31))
}

/** True when some place is in both. */
export function haveCommon(one: Places, other: Places): boolean {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const [page, theirs] = [one[at], other[at]]
    if (page === undefined || theirs === undefined) continue
    for (let word = 0; word < PAGE_WORDS; word++) if (((page[word] ?? 0) & (theirs[word] ?? 0)) !== 0) return true
  }
  return false
}

/** All places of both. */
export function unionOf(one: Places, other: Places): Places {
  if (one === other) return one
  const [long, short] = one.length >= other.length ? [one, other] : [other, one]
  return long.map((page, at) => unionOfPages(page, short[at]))
}

function unionOfPages(one: Page | undefined, other: Page | undefined): Page | undefined {
  if (one === undefined || one === other) return other ?? one
  if (other === undefined) return one
  const union = new Uint32Array(PAGE_WORDS)
  let isOne = true
  let isOther = true
  for (let word = 0; word < PAGE_WORDS; word++) {
    const both = ((one[word] ?? 0) | (other[word] ?? 0)) >>> 0
    union[word] = both
    isOne &&= both === one[word]
    isOther &&= both === other[word]
  }
  if (isOne) return one
  return isOther ? other : union
}

/** The places that are in all of these sets. */
export function intersectionOf(sets: readonly Places[]): Places {
  const [first = NO_PLACES, ...others] = sets
  return others.reduce((common, set) => common.map((page, at) => intersectionOfPages(page, set[at])), first)
}

function intersectionOfPages(one: Page | undefined, other: Page | undefined): Page | undefined {
  if (one === other) return one
  if (one === undefined || other === undefined) return undefined
  return one.map((word, at) => (word & (other[at] ?? 0)) >>> 0)
}

/** The places that are in some of these sets and not in all. Pages that all share are not looked into. */
export function* differing(sets: readonly Places[]): Generator<number> {
  const length = sets.reduce((most, set) => Math.max(most, set.length), 0)
  for (let at = 0; at < length; at++) {
    const pages = sets.map((set) => set[at])
    if (pages.every((page) => page === pages[0])) continue
    for (let word = 0; word < PAGE_WORDS; word++) {
      const words = pages.map((page) => page?.[word] ?? 0)
      let bits = words.reduce((some, one) => some | one, 0) & ~words.reduce((all, one) => all & one, -1)
      for (; bits !== 0; bits &= bits - 1) yield at * PAGE_BITS + word * 32 + (31 - Math.clz32(bits & -bits))
    }
  }
}
