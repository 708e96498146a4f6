/** How far something goes, and when that was told. */
export interface Step {
  readonly sequence: number
  readonly rank: number
}

/**
 * Steps of which each goes further than those before it and was told later: of all that were added, those that
 * nothing else goes as far as and was told earlier. In pieces, so that adding one costs the same wherever it goes:
 * told backwards, each goes before all others.
 */
export type Frontier = Step[][]

const PIECE_MAX = 512

interface Place {
  readonly piece: number
  readonly index: number
}

/** @returns what takes it back, to be called in the reverse order; undefined where that was told before */
export function addStep(frontier: Frontier, step: Step): (() => void) | undefined {
  const at = firstAt(frontier, step.sequence)
  const next = stepAt(frontier, at)
  if (next !== undefined && next.rank <= step.rank) return undefined
  // what goes no further is told earlier now
  const from = firstWith(frontier, ({ rank }) => rank >= step.rank)
  const gone = replace(frontier, from, next?.sequence === step.sequence ? after(at) : at, [step])
  return () => {
    const here = firstAt(frontier, step.sequence)
    replace(frontier, here, after(here), gone)
  }
}

/** How far the furthest goes; 0 without any. */
export function furthestOf(frontier: Frontier): number {
  return frontier.at(-1)?.at(-1)?.sequence ?? 0
}

/** How far the furthest goes of what was told before that; 0 without any. */
export function furthestTold(frontier: Frontier, before: number): number {
  const { piece, index } = firstWith(frontier, ({ rank }) => rank >= before)
  return (frontier[piece]?.[index - 1] ?? frontier[piece - 1]?.at(-1))?.sequence ?? 0
}

/** When it was first told that this, or more, is there; Infinity where it was not. */
export function rankIn(frontier: Frontier, sequence: number): number {
  return stepAt(frontier, firstAt(frontier, sequence))?.rank ?? Infinity
}

function stepAt(frontier: Frontier, { piece, index }: Place): Step | undefined {
  return frontier[piece]?.[index]
}

function after({ piece, index }: Place): Place {
  return { piece, index: index + 1 }
}

/** Where the first is that goes so far; behind the last where none does. */
function firstAt(frontier: Frontier, sequence: number): Place {
  return firstWith(frontier, (step) => step.sequence >= sequence)
}

/** Where the first is of which that is true, as of all behind it. */
function firstWith(frontier: Frontier, isTrue: (step: Step) => boolean): Place {
  const isLastTrue = (steps: readonly Step[]): boolean => {
    const last = steps.at(-1)
    return last !== undefined && isTrue(last)
  }
  // behind the last is in the last piece, where there is room
  const piece = Math.min(firstIndex(frontier, isLastTrue), Math.max(0, frontier.length - 1))
  return { piece, index: firstIndex(frontier[piece] ?? [], isTrue) }
}

function firstIndex<Item>(items: readonly Item[], isTrue: (item: Item) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    const item = items[middle]
    if (item !== undefined && !isTrue(item)) low = middle + 1
    else high = middle
  }
  return low
}

/** Puts steps in the place of those there. @returns these */
function replace(frontier: Frontier, from: Place, end: Place, steps: readonly Step[]): readonly Step[] {
  const first = frontier[from.piece] ?? []
  if (from.piece === end.piece && first.length + steps.length <= PIECE_MAX) {
    const gone = first.splice(from.index, end.index - from.index, ...steps)
    if (first.length === 0) frontier.splice(from.piece, 1)
    else frontier[from.piece] = first
    return gone
  }
  const here = frontier.slice(from.piece, end.piece + 1).flat()
  const count = here.length - (frontier[end.piece]?.length ?? 0) + end.index - from.index
  const rest = [...here.slice(0, from.index), ...steps, ...here.slice(from.index + count)]
  const pieces: Frontier = []
  // half full: the next ones find room
  for (let start = 0; start < rest.length; start += PIECE_MAX / 2) pieces.push(rest.slice(start, start + PIECE_MAX / 2))
  frontier.splice(from.piece, end.piece - from.piece + 1, ...pieces)
  return here.slice(from.index, from.index + count)
}
