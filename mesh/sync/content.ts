import * as Y from 'yjs'
import { MeshError, messageOf, type Clock } from '../base/index.ts'
import type { Chain } from './chain.ts'
import { timeOf, type Chains } from './chains.ts'
import { commonClocks } from './clock-ranges.ts'
import type { Operation } from './document.ts'
import { entryKey, entryPlace, nextStamp, type KindDescriptor, type StoredEntry } from './kinds.ts'
import { encodeDeletes, encodeEntries, encodeGap, type ClockRange, type UpdateEntry } from './update.ts'

/** What of a document a change was to. */
export interface ContentChange {
  readonly added: Set<string>
  readonly erased: Set<string>
}

/** What is in an envelope: its entries, or nothing that may be shown, for it breaks the rules. */
export type EnvelopeContent = readonly UpdateEntry[] | 'void'

/** A document's entries in memory: a Yjs document and what a person sees of it. */
export interface Content {
  readonly visible: ReadonlyMap<string, Operation>
  /** Up to which sequence the envelopes of a chain are in it. */
  applied(chain: number): number
  /** Several changes as one, which is many times faster. */
  batch(work: () => void): void
  /** Adds the entries of the next envelope of a chain, but those erased meanwhile. */
  add(chain: Chain, sequence: number, from: number, entries: readonly UpdateEntry[], change: ContentChange): void
  /** Shows an entry whose chain is not whole up to it; it is added when its turn comes. */
  strand(entry: StoredEntry, change: ContentChange): void
  /** The next envelope of a chain was erased whole, or shows nothing. */
  skip(chain: Chain, sequence: number, from: number, count: number): void
  erase(ranges: readonly ClockRange[], change: ContentChange): void
  /** Entry keys that stand for an id, and those of them this author's new value makes needless. */
  keysOf(id: string): readonly string[]
  superseded(id: string, author: Chain['author']): readonly string[]
  /** Stamp for a new value of a setting. */
  stampFor(id: string): number
  save(): { readonly state: Uint8Array; readonly applied: readonly (readonly [chain: number, sequence: number])[] }
}

/** Empty content, or what was saved. @throws MeshError `storage-corrupt` */
export function createContent(
  kind: KindDescriptor,
  chains: Chains,
  clock: Clock,
  saved?: ReturnType<Content['save']>,
): Content {
  const doc = new Y.Doc()
  // its own client id stays unused: entries come from chains alone
  const map = doc.getMap<Uint8Array>(kind.root)
  const view = kind.createView(clock)
  const applied = new Map<number, number>(saved?.applied)
  const stranded = new Set<string>()

  const stored = (key: string, bytes: Uint8Array, chain: Chain, place: number): StoredEntry => ({
    key,
    bytes,
    author: chain.author,
    at: timeOf(chain, place),
  })

  const show = (chain: Chain, place: number, change: ContentChange): void => {
    const key = entryKey(chain.number, place)
    const bytes = map.get(key)
    if (bytes === undefined) return
    stranded.delete(key)
    for (const id of view.add(stored(key, bytes, chain, place))) {
      change.added.add(id)
      change.erased.delete(id)
    }
  }

  const hide = (key: string, change: ContentChange): void => {
    for (const id of view.remove(key)) {
      const shown = view.visible.has(id)
      ;(shown ? change.added : change.erased).add(id)
      ;(shown ? change.erased : change.added).delete(id)
    }
  }

  /** Yjs keeps deletions of what it does not hold for ever: it is told only of what is there. */
  const present = (range: ClockRange): ClockRange[] => {
    const held = Y.getState(doc.store, range.chain)
    return range.clock < held ? [{ ...range, count: Math.min(range.count, held - range.clock) }] : []
  }

  const load = ({ state }: ReturnType<Content['save']>): void => {
    try {
      Y.applyUpdate(doc, state)
    } catch (error) {
      throw new MeshError('storage-corrupt', `The snapshot of a document cannot be read: ${messageOf(error)}`, {
        cause: error,
      })
    }
    for (const [key, bytes] of map.entries()) {
      const place = entryPlace(key)
      const chain = place === undefined ? undefined : chains.get(place.chain)
      if (place !== undefined && chain !== undefined) view.add(stored(key, bytes, chain, place.clock))
    }
    // what damage took from a chain shows as whose and when it is once it came again
    for (const [chain, sequence] of [...applied]) {
      const held = chains.get(chain)?.sequence ?? 0
      if (sequence > held) applied.set(chain, held)
    }
  }
  if (saved !== undefined) load(saved)

  const erase: Content['erase'] = (ranges, change) => {
    for (const key of stranded) {
      const place = entryPlace(key)
      if (place === undefined || !ranges.some((range) => isWithin(range, place))) continue
      stranded.delete(key)
      hide(key, change)
    }
    const here = ranges.flatMap(present)
    if (here.length === 0) return
    Y.applyUpdate(doc, encodeDeletes(here))
    for (const { chain, clock: first, count } of here)
      for (let place = first; place < first + count; place++) hide(entryKey(chain, place), change)
  }

  return {
    visible: view.visible,
    applied: (chain) => applied.get(chain) ?? 0,
    batch(work) {
      doc.transact(work)
    },
    add(chain, sequence, from, entries, change) {
      if (entries.length > 0) Y.applyUpdate(doc, encodeEntries(kind.root, chain.number, from, entries))
      applied.set(chain.number, sequence)
      const gone = commonClocks(chain.erased, from, entries.length)
      const isGone = (place: number): boolean => gone.some(([first, count]) => place >= first && place < first + count)
      for (let place = from; place < from + entries.length; place++) if (!isGone(place)) show(chain, place, change)
      if (gone.length > 0)
        Y.applyUpdate(doc, encodeDeletes(gone.map(([first, count]) => ({ chain: chain.number, clock: first, count }))))
    },
    strand(entry, change) {
      if (view.visible.has(entry.key)) return
      stranded.add(entry.key)
      for (const id of view.add(entry)) change.added.add(id)
    },
    skip(chain, sequence, from, count) {
      if (count > 0) Y.applyUpdate(doc, encodeGap({ chain: chain.number, clock: from, count }))
      applied.set(chain.number, sequence)
    },
    erase,
    keysOf: view.keysOf,
    superseded: view.superseded,
    stampFor: (id) =>
      nextStamp(
        clock,
        view.keysOf(id).flatMap((key) => map.get(key) ?? []),
      ),
    save: () => ({ state: Y.encodeStateAsUpdate(doc), applied: [...applied] }),
  }
}

function isWithin(range: ClockRange, { chain, clock }: ClockRange): boolean {
  return chain === range.chain && clock >= range.clock && clock < range.clock + range.count
}
