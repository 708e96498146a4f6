/** Clocks of one chain as sorted, disjoint `[first, count]`, none touching the next. Never changed in place. */
export type Clocks = readonly (readonly [first: number, count: number])[]

/** The clocks with some more; n log n in what is added, however many ranges an author makes of it. */
export function withClocks(clocks: Clocks, added: Clocks): Clocks {
  if (added.length === 0) return clocks
  const merged: (readonly [first: number, count: number])[] = []
  const take = (range: readonly [number, number]): void => {
    const last = merged.at(-1)
    const end = range[0] + range[1]
    if (last === undefined || range[0] > last[0] + last[1]) merged.push(range)
    else if (end > last[0] + last[1]) merged[merged.length - 1] = [last[0], end - last[0]]
  }
  const sorted = [...added].sort(([a], [b]) => a - b)
  let next = 0
  for (const range of clocks) {
    for (let one = sorted[next]; one !== undefined && one[0] <= range[0]; one = sorted[next]) {
      take(one)
      next += 1
    }
    take(range)
  }
  for (const one of sorted.slice(next)) take(one)
  return merged
}

/** How many of them are below a clock. */
export function countBelow(clocks: Clocks, end: number): number {
  return clocks.reduce((sum, [first, count]) => sum + Math.max(0, Math.min(first + count, end) - first), 0)
}

/** True when all of these are in it. */
export function hasClocks(clocks: Clocks, first: number, count: number): boolean {
  const range = clocks[placeOf(clocks, first)]
  return range !== undefined && first + count <= range[0] + range[1]
}

/** What of these is in it. */
export function commonClocks(clocks: Clocks, first: number, count: number): Clocks {
  const common: (readonly [number, number])[] = []
  for (let at = Math.max(0, placeOf(clocks, first)); at < clocks.length; at++) {
    const [start, length] = clocks[at] ?? [0, 0]
    if (start >= first + count) break
    const from = Math.max(start, first)
    const end = Math.min(start + length, first + count)
    if (from < end) common.push([from, end - from])
  }
  return common
}

/** The last range that begins at or before a clock; -1 for none. */
function placeOf(clocks: Clocks, clock: number): number {
  let low = 0
  let high = clocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((clocks[middle]?.[0] ?? 0) <= clock) low = middle + 1
    else high = middle
  }
  return low - 1
}
