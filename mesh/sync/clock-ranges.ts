/** Clocks of one chain as sorted, disjoint `[first, count]`. Never changed in place. */
export type Clocks = readonly (readonly [first: number, count: number])[]

/** The clocks with some more. */
export function withClocks(clocks: Clocks, first: number, count: number): Clocks {
  let from = first
  let end = first + count
  const before: (readonly [number, number])[] = []
  const after: (readonly [number, number])[] = []
  for (const range of clocks) {
    const [start, length] = range
    if (start + length < from) before.push(range)
    else if (start > end) after.push(range)
    else {
      from = Math.min(from, start)
      end = Math.max(end, start + length)
    }
  }
  return [...before, [from, end - from], ...after]
}

/** True when all of these are in it. */
export function hasClocks(clocks: Clocks, first: number, count: number): boolean {
  return clocks.some(([start, length]) => start <= first && first + count <= start + length)
}

/** What of these is in it. */
export function commonClocks(clocks: Clocks, first: number, count: number): Clocks {
  const common: (readonly [number, number])[] = []
  for (const [start, length] of clocks) {
    const from = Math.max(start, first)
    const end = Math.min(start + length, first + count)
    if (from < end) common.push([from, end - from])
  }
  return common
}
