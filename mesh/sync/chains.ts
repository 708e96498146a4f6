import { sha256 } from '@noble/hashes/sha2.js'
import { hexToBytes } from '@noble/hashes/utils.js'
import * as z from 'zod/mini'
import type { DeviceId } from '../base/index.ts'
import { bytes, decode, deviceId, encode, exactBytes, toHex, whole } from '../wire/index.ts'
import type { Chain } from './chain.ts'
import { countBelow, hasClocks, withClocks, type Clocks } from './clock-ranges.ts'
import type { Vector } from './document.ts'
import { chainOf, NO_ENVELOPE, type Envelope } from './envelope.ts'
import { createEnds, type Ends } from './ends.ts'
import { createErasings, type EnvelopePlace } from './erasings.ts'
import { createLastingEnds, type LastingEnds } from './lasting-ends.ts'
import { createMarks, isMarksOf } from './marks.ts'
import type { ClockRange } from './update.ts'

/** The chains of one document. */
export interface Chains {
  readonly all: ReadonlyMap<number, Chain>
  get(number: number): Chain | undefined
  countOf(author: DeviceId): number
  /** How many chains each author has. */
  authors(): ReadonlyMap<DeviceId, number>
  /** Takes the next envelope of its chain, at a place in the log. @returns what takes it back; to be called in the reverse order */
  take(envelope: Envelope, position: number, came?: { readonly isLate?: boolean; readonly via?: DeviceId }): () => void
  /** Envelopes that together erased all of these clocks of a chain, as few as are needed; undefined when some are not erased. */
  erasersOf(chain: number, first: number, count: number): readonly EnvelopePlace[] | undefined
  /** Clocks of a chain that its author erased; told also of a chain that damage took, and that is to come again. */
  erasedOf(chain: number): Clocks
  /** Entries that are not erased. */
  liveCount(): number
  /** How far devices told that they hold chains. */
  readonly ends: Omit<Ends, 'add'>
  /** Which of these count though who told them may not write any more. */
  readonly lastingEnds: Omit<LastingEnds, 'took'>
  vector(): Vector
  /** A short name of exactly what is held; the same on two devices that hold the same. */
  digest(): string
  /** Everything, for {@link loadChains}. */
  save(): Uint8Array
}

/** No chains yet. */
export function createChains(): Chains {
  return chainsOf(new Map())
}

/** The chains of {@link Chains.save}; undefined for what an earlier version saved, without marks. @throws MeshError `malformed` */
export function loadChains(document: string, saved: Uint8Array): Chains | undefined {
  const rows = decode(saved, savedChains, { maxBytes: Number.MAX_SAFE_INTEGER, what: 'The index of a document' })
  const all = new Map<number, Chain>()
  for (const { epoch: epochBytes, erasers, ends, endsAt, marks, ...row } of rows) {
    if (!isMarksOf(marks, row.sequence)) return undefined
    const epoch = toHex(epochBytes)
    const number = chainOf({ document, author: row.author, run: row.run, epoch })
    all.set(number, {
      ...row,
      number,
      epoch,
      marks: createMarks(marks),
      ends: ends.map((told) => told.map(([chain, sequence]) => ({ chain, sequence }))),
      endsAt: endsAt ?? row.ats.slice(0, ends.length),
      erasers: erasers.map(([at, ranges]) => ({
        sequence: at,
        ranges: ranges.map(([chain, first, count]) => ({ chain, clock: first, count })),
      })),
    })
  }
  return chainsOf(all)
}

/** When the entry at a clock was written. */
export function timeOf(chain: Chain, clock: number): number {
  return chain.ats[sequenceOf(chain, clock) - 1] ?? 0
}

/** In which envelope of its chain the entry at a clock came. */
export function sequenceOf(chain: Chain, clock: number): number {
  let low = 0
  let high = chain.froms.length
  // the last envelope that begins at or before it; those that add nothing come before the one that does
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((chain.froms[middle] ?? 0) <= clock) low = middle
    else high = middle
  }
  return low + 1
}

/** True of a chain in which ends of others are told. */
export function tellsEnds(chain: Chain | undefined): boolean {
  return chain !== undefined && chain.ends.length > 0
}

/** True when everything an envelope added was erased. */
export function isSpent(chain: Chain, from: number, count: number): boolean {
  return count > 0 && hasClocks(chain.erased, from, count)
}

function chainsOf(all: Map<number, Chain>): Chains {
  const counts = new Map<DeviceId, number>()
  for (const { author } of all.values()) counts.set(author, (counts.get(author) ?? 0) + 1)
  const erasings = createErasings()
  for (const { number, erasers } of all.values())
    for (const { sequence, ranges } of erasers) erasings.add({ chain: number, sequence }, ranges)
  // what erases a chain that damage took was saved, and an earlier version forgot it when the chain came again
  for (const chain of all.values()) chain.erased = withClocks(chain.erased, erasings.clocksOf(chain.number))
  const ends = createEnds()
  for (const { author, ends: told, endsAt } of all.values())
    told.forEach((some, index) => ends.add({ by: author, at: endsAt[index] ?? 0, told: some }))
  const lastingEnds = createLastingEnds(all, ends)
  let digest: string | undefined
  let liveCount: number | undefined

  const add = (envelope: Envelope): Chain => {
    const { author, run, epoch } = envelope.head
    const chain: Chain = {
      number: envelope.chain,
      author,
      run,
      epoch,
      sequence: 0,
      clock: 0,
      tip: NO_ENVELOPE,
      froms: [],
      ats: [],
      positions: [],
      marks: createMarks(),
      // after damage what erases it may be here before it
      erased: withClocks([], erasings.clocksOf(envelope.chain)),
      erasers: [],
      ends: [],
      endsAt: [],
    }
    all.set(chain.number, chain)
    counts.set(author, (counts.get(author) ?? 0) + 1)
    return chain
  }

  const forget = (chain: Chain): void => {
    all.delete(chain.number)
    const left = (counts.get(chain.author) ?? 1) - 1
    if (left > 0) counts.set(chain.author, left)
    else counts.delete(chain.author)
  }

  return {
    all,
    get: (number) => all.get(number),
    countOf: (author) => counts.get(author) ?? 0,
    authors: () => counts,
    take(envelope, position, { isLate = false, via } = {}) {
      digest = undefined
      liveCount = undefined
      const { head } = envelope
      const chain = all.get(envelope.chain) ?? add(envelope)
      const { sequence, clock, tip, lateFrom } = chain
      chain.sequence = head.sequence
      chain.clock = head.from + head.count
      chain.tip = envelope.hash
      // what an author who may write goes on from is its own
      chain.lateFrom = isLate ? (lateFrom ?? head.sequence) : undefined
      chain.froms.push(head.from)
      chain.ats.push(head.at)
      chain.positions.push(position)
      chain.marks.add(envelope.hash)
      if (head.erases.length > 0) chain.erasers.push({ sequence: head.sequence, ranges: head.erases })
      erasings.add({ chain: chain.number, sequence: head.sequence }, head.erases)
      const takeBackEnds = ends.add({ by: head.author, at: head.at, told: head.ends ?? [], via })
      if (head.ends !== undefined) {
        chain.ends.push(head.ends)
        chain.endsAt.push(head.at)
      }
      const before = [...byChain(head.erases)].map(([number, ranges]) => {
        const target = all.get(number)
        const erased = target?.erased ?? []
        if (target !== undefined) target.erased = withClocks(erased, ranges)
        return { target, erased }
      })
      lastingEnds.took(chain)
      return () => {
        digest = undefined
        liveCount = undefined
        lastingEnds.forget()
        for (const { target, erased } of before) if (target !== undefined) target.erased = erased
        if (head.ends !== undefined) {
          chain.ends.pop()
          chain.endsAt.pop()
        }
        takeBackEnds()
        if (head.erases.length > 0) chain.erasers.pop()
        erasings.takeBack(head.erases)
        for (const list of [chain.froms, chain.ats, chain.positions]) list.pop()
        chain.marks.removeLast()
        Object.assign(chain, { sequence, clock, tip, lateFrom })
        if (sequence === 0) forget(chain)
      }
    },
    erasersOf: erasings.coverOf,
    erasedOf: (number) => all.get(number)?.erased ?? withClocks([], erasings.clocksOf(number)),
    liveCount() {
      liveCount ??= [...all.values()].reduce((sum, { clock, erased }) => sum + clock - countBelow(erased, clock), 0)
      return liveCount
    },
    ends,
    lastingEnds,
    vector: () => new Map([...all.values()].map((chain) => [chain.number, chain.sequence])),
    digest() {
      digest ??= digestOf(all)
      return digest
    },
    save: () =>
      encode(
        [...all.values()].map(({ number: _number, epoch, erasers, ends: told, marks, ...rest }) => ({
          ...rest,
          marks: marks.save(),
          ends: told.map((some) => some.map(({ chain, sequence }) => [chain, sequence])),
          epoch: hexToBytes(epoch),
          erasers: erasers.map(({ sequence, ranges }) => [
            sequence,
            ranges.map(({ chain, clock, count }) => [chain, clock, count]),
          ]),
        })),
      ),
  }
}

function byChain(ranges: readonly ClockRange[]): Map<number, (readonly [first: number, count: number])[]> {
  const found = new Map<number, (readonly [number, number])[]>()
  for (const { chain, clock, count } of ranges) {
    const ofChain = found.get(chain) ?? []
    found.set(chain, ofChain)
    ofChain.push([clock, count])
  }
  return found
}

function digestOf(all: ReadonlyMap<number, Chain>): string {
  const rows = [...all.values()].sort((a, b) => a.number - b.number)
  return toHex(sha256(encode(rows.map(({ number, sequence, tip }) => [number, sequence, tip]))).subarray(0, 16))
}

/** All of a chain: what is not in here a restart would forget. */
const savedFields = {
  author: deviceId,
  run: exactBytes(16),
  epoch: exactBytes(32),
  sequence: whole(),
  clock: whole(),
  tip: exactBytes(32),
  froms: z.array(whole()),
  ats: z.array(whole()),
  positions: z.array(whole()),
  erased: z.array(z.tuple([whole(), whole()])),
  erasers: z.array(z.tuple([whole(), z.array(z.tuple([whole(), whole(), whole()]))])),
  // an earlier version knew none
  ends: z._default(z.array(z.array(z.tuple([whole(), whole()]))), []),
  // an earlier version wrote it with each envelope alone, and ends in chains of nothing else
  endsAt: z.optional(z.array(whole())),
  lateFrom: z.optional(whole()),
  // an earlier version had none
  marks: z.optional(bytes(Number.MAX_SAFE_INTEGER)),
} satisfies Record<Exclude<keyof Chain, 'number'>, z.ZodMiniType>
const savedChains = z.array(z.object(savedFields))
