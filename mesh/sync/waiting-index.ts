import type { Envelope } from './envelope.ts'

/** What a waiting envelope waits for, the first of it. */
export type Need =
  /** The one that goes before it in its chain. */
  | { readonly kind: 'previous' }
  /** That a chain reaches a clock up to which it erases: the range of that place in its head. */
  | { readonly kind: 'erased'; readonly chain: number; readonly clock: number; readonly index: number }
  /** That more of its own chain is erased. */
  | { readonly kind: 'proof' }

/** An envelope that waits, or whose turn may have come. */
export interface Indexed {
  readonly envelope: Envelope
  /** Ever larger: no two are equal. */
  readonly order: number
  /** Undefined: it is to be judged. */
  need?: Need | undefined
}

/**
 * What waits, by what it waits for: an envelope that is taken wakes what it unblocks and nothing else,
 * in n log n all together, however much a sender lets wait.
 */
export interface WaitingIndex<One extends Indexed> {
  /** It waits for this; undefined when it is to be judged. */
  set(one: One, need: Need | undefined): void
  delete(one: One): void
  /** An envelope of a chain is here: its chain goes up to a clock. */
  reached(chain: number, clock: number, isFirst: boolean): void
  /** More of a chain is said to be erased by its author. */
  proven(chain: number): void
  wake(one: One): void
  /** Those to be judged, the oldest first; each is given out once. */
  takeAwake(): One[]
}

/** Nothing waits yet. */
export function createWaitingIndex<One extends Indexed>(): WaitingIndex<One> {
  /** By the chain, those that need it further: the one that needs least is the last. */
  const byErased = new Map<number, One[]>()
  /** By the own chain: of each only the next envelope is looked at for that. */
  const byProof = new Map<number, Set<One>>()
  const awake = new Set<One>()

  const remove = (one: One): void => {
    awake.delete(one)
    const { need } = one
    if (need?.kind === 'erased') {
      const ofChain = byErased.get(need.chain) ?? []
      const at = placeIn(ofChain, need.clock, one.order)
      if (ofChain[at] === one) ofChain.splice(at, 1)
      if (ofChain.length === 0) byErased.delete(need.chain)
    } else if (need?.kind === 'proof') {
      const ofChain = byProof.get(one.envelope.chain)
      ofChain?.delete(one)
      if (ofChain?.size === 0) byProof.delete(one.envelope.chain)
    }
  }

  const wake = (one: One): void => {
    remove(one)
    one.need = undefined
    awake.add(one)
  }

  return {
    set(one, need) {
      remove(one)
      one.need = need
      if (need === undefined) awake.add(one)
      else if (need.kind === 'erased') {
        const ofChain = byErased.get(need.chain) ?? []
        byErased.set(need.chain, ofChain)
        ofChain.splice(placeIn(ofChain, need.clock, one.order), 0, one)
      } else if (need.kind === 'proof') {
        const ofChain = byProof.get(one.envelope.chain) ?? new Set()
        byProof.set(one.envelope.chain, ofChain.add(one))
      }
    },
    delete: remove,
    reached(chain, clock, isFirst) {
      const ofChain = byErased.get(chain) ?? []
      // whose chain it is is known from its first one on
      for (let one = ofChain.at(-1); one !== undefined && (isFirst || clockOf(one) <= clock); one = ofChain.at(-1))
        wake(one)
    },
    proven(chain) {
      for (const one of [...(byProof.get(chain) ?? [])]) wake(one)
    },
    wake,
    takeAwake() {
      const all = [...awake].sort((a, b) => a.order - b.order)
      awake.clear()
      return all
    },
  }
}

function clockOf({ need }: Indexed): number {
  return need?.kind === 'erased' ? need.clock : 0
}

/** Where one is, or belongs, among those that are sorted by falling clock and order. */
function placeIn(sorted: readonly Indexed[], clock: number, order: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = sorted[middle]
    if (other === undefined) break
    const isBefore = clockOf(other) === clock ? other.order > order : clockOf(other) > clock
    if (isBefore) low = middle + 1
    else high = middle
  }
  return low
}
