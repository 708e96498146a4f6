import {
  SYNC_WAITING_ALL_MAX_BYTES,
  SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES,
  SYNC_WAITING_ALL_PER_PERSON_MAX_BYTES,
  SYNC_WAITING_MAX_BYTES,
  SYNC_WAITING_PER_AUTHOR_MAX_BYTES,
  SYNC_WAITING_PER_PERSON_MAX_BYTES,
  type DeviceId,
} from '../base/index.ts'
import type { Chains } from './chains.ts'
import type { Clocks } from './clock-ranges.ts'
import { tellsOnlyEnds, type Envelope } from './envelope.ts'
import type { Writers } from './ports.ts'
import { createShares, type ShareBounds, type SharePlace, type Shares } from './shares.ts'
import { createWaitingErasings } from './waiting-erasings.ts'
import { createWaitingIndex, type Indexed, type Need } from './waiting-index.ts'

/** A verified envelope that came before what it follows, and who sent it. */
export interface WaitingEnvelope {
  readonly envelope: Envelope
  readonly via: DeviceId
}

/**
 * Envelopes that wait for others, in memory and bounded, see {@link Shares}: the oldest of an author who
 * has too many are let go, for they can be fetched again. What they erase is proven
 * by their signature even before their place in the chain is reached.
 */
export interface Waiting {
  /** One that waits for this; without it, it is judged the next time. */
  add(one: WaitingEnvelope, need?: Need): void
  /** An envelope is among what is here now: it wakes what waited for it. */
  taken(envelope: Envelope): void
  /** What is here is counted anew: all that waits is judged once. */
  wakeAll(): void
  /** Takes out those whose turn has come, of what was woken; the rest waits on. */
  takeRipe(chains: Pick<Chains, 'get'>, isRipe: (envelope: Envelope) => boolean): WaitingEnvelope[]
  all(): readonly WaitingEnvelope[]
  /** Clocks of a chain that waiting envelopes of its author erase. */
  erasedBy(author: DeviceId, chain: number, known: Clocks): Clocks
  /** All but what only tells ends: that is taken of everybody who may write. */
  dropAuthor(author: DeviceId): void
  clear(): void
  readonly sizeBytes: number
}

/** What waits in all documents together: many documents are no way around the bounds of one. */
export function createWaitingTotals(personOf: PersonOf): Shares {
  const bounds = {
    maxBytes: SYNC_WAITING_ALL_MAX_BYTES,
    personMaxBytes: SYNC_WAITING_ALL_PER_PERSON_MAX_BYTES,
    authorMaxBytes: SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES,
  }
  return createShares(bounds, personOf)
}

/** Whose device it is, to count by. */
export type PersonOf = (author: DeviceId) => string

/** Those that nobody knows count as one person: devices are made up for nothing. */
export function personsBy(writers: Pick<Writers, 'personOf'>): PersonOf {
  return (author) => (writers.personOf === undefined ? author : (writers.personOf(author) ?? ''))
}

const BOUNDS: ShareBounds = {
  maxBytes: SYNC_WAITING_MAX_BYTES,
  personMaxBytes: SYNC_WAITING_PER_PERSON_MAX_BYTES,
  authorMaxBytes: SYNC_WAITING_PER_AUTHOR_MAX_BYTES,
}

interface WaitingRecord extends Indexed, WaitingEnvelope {
  /** So many of the ranges it erases are there: these are not looked at again. */
  met: number
  /** It follows what is here, and waits for what it erases alone. */
  isPlaced: boolean
}

/** Nothing waits yet. */
export function createWaiting(totals: Shares, personOf: PersonOf): Waiting {
  const byPlace = new Map<string, WaitingRecord>()
  /** The oldest first. */
  const byAuthor = new Map<DeviceId, Set<WaitingRecord>>()
  const shares = createShares(BOUNDS, personOf)
  const index = createWaitingIndex<WaitingRecord>()
  const erased = createWaitingErasings()
  let order = 0

  const tellProven = ({ head }: Envelope): void => {
    for (const chain of new Set(head.erases.map((range) => range.chain))) index.proven(chain)
  }

  const insert = (one: WaitingEnvelope, need: Need | undefined): void => {
    const { author } = one.envelope.head
    const record: WaitingRecord = { ...one, order: order++, met: 0, isPlaced: need?.kind === 'erased' }
    byPlace.set(placeOf(one.envelope), record)
    byAuthor.set(author, (byAuthor.get(author) ?? new Set()).add(record))
    count(author, sizeOf(one))
    erased.add(one.envelope)
    index.set(record, need)
    tellProven(one.envelope)
  }

  const remove = (record: WaitingRecord | undefined): WaitingEnvelope | undefined => {
    if (record === undefined) return undefined
    const { envelope, via } = record
    const { author } = envelope.head
    byPlace.delete(placeOf(envelope))
    const ofAuthor = byAuthor.get(author)
    ofAuthor?.delete(record)
    if (ofAuthor?.size === 0) byAuthor.delete(author)
    count(author, -sizeOf(record))
    erased.delete(envelope)
    index.delete(record)
    return { envelope, via }
  }

  const place: SharePlace = {
    letGo(author) {
      const [oldest] = byAuthor.get(author) ?? []
      remove(oldest)
    },
  }
  const count = (author: DeviceId, bytes: number): void => {
    for (const all of [shares, totals]) all.add(author, bytes, place)
  }

  return {
    get sizeBytes() {
      return shares.sizeBytes
    },
    add(one, need) {
      const known = byPlace.get(placeOf(one.envelope))
      // one that came as proof alone takes nothing from what is here whole
      if (one.envelope.box === undefined && isSame(known?.envelope, one.envelope)) return
      remove(known)
      insert(one, need)
      for (const all of [shares, totals]) all.makeRoom(one.envelope.head.author)
    },
    taken(envelope) {
      const { chain, head } = envelope
      for (const sequence of [head.sequence, head.sequence + 1]) {
        const one = byPlace.get(placeAt(chain, sequence))
        if (one !== undefined) index.wake(one)
      }
      index.reached(chain, head.from + head.count, head.sequence === 1)
      tellProven(envelope)
    },
    wakeAll() {
      for (const one of byPlace.values()) index.wake(one)
    },
    takeRipe(chains, isRipe) {
      return index.takeAwake().flatMap((one) => {
        // until its place is reached it may break a rule, whatever it erases
        let need = one.isPlaced ? needOf(one.envelope, chains, one.met) : undefined
        if (need === undefined) {
          if (isRipe(one.envelope)) return remove(one) ?? []
          // what it erases may be less than it was, where a disk failed
          need = needOf(one.envelope, chains) ?? { kind: 'proof' }
        }
        one.isPlaced = need.kind === 'erased'
        if (need.kind === 'erased') one.met = need.index
        index.set(one, need)
        return []
      })
    },
    all: () => [...byPlace.values()],
    erasedBy: erased.of,
    dropAuthor(author) {
      for (const one of [...(byAuthor.get(author) ?? [])]) if (!tellsOnlyEnds(one.envelope.head)) remove(one)
    },
    clear() {
      for (const one of [...byPlace.values()]) remove(one)
    },
  }
}

/** What an envelope waits for before it can be judged; undefined when nothing but that is left. */
export function needOf({ head, chain }: Envelope, chains: Pick<Chains, 'get'>, met = 0): Need | undefined {
  const held = chains.get(chain)?.sequence ?? 0
  if (head.sequence > held + 1) return { kind: 'previous' }
  if (head.sequence <= held) return undefined
  for (let index = met; index < head.erases.length; index++) {
    const range = head.erases[index]
    if (range === undefined) return undefined
    const target = chains.get(range.chain)
    const clock = range.clock + range.count
    if (target !== undefined && target.author !== head.author) return undefined
    if (target !== undefined && clock <= target.clock) continue
    // what it never wrote comes by no waiting
    if (range.chain === chain) return undefined
    return { kind: 'erased', chain: range.chain, clock, index }
  }
  return undefined
}

function placeOf({ chain, head }: Envelope): string {
  return placeAt(chain, head.sequence)
}

function placeAt(chain: number, sequence: number): string {
  return `${String(chain)}/${String(sequence)}`
}

function isSame(a: Envelope | undefined, b: Envelope): boolean {
  return a !== undefined && a.hash.every((byte, index) => byte === b.hash[index])
}

function sizeOf({ envelope }: WaitingEnvelope): number {
  return envelope.bytes.byteLength
}
