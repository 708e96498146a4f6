/**
 * The newest few of many things that come and go in any order: each costs log n of
 * all there are. What they are is a function of the set, whatever the order.
 */
export interface Newest<Item> {
  /** The newest first. */
  readonly items: readonly Item[]
  add(item: Item): void
  remove(item: Item): void
}

/** Nothing yet. `compare` is below zero where `a` is older, and never zero for two. */
export function createNewest<Item extends object>(
  most: number,
  compare: (a: Item, b: Item) => number,
  changed: { entered?(item: Item): void; left?(item: Item): void } = {},
): Newest<Item> {
  const items: Item[] = []
  /** The older ones, and some that went meanwhile or are among the newest: looked at when they come up. */
  const older = createHeap(compare)
  const here = new Set<Item>()

  /** What went is let go of once it is the greater part: it may be large, and come and go for ever. */
  const tidy = (): void => {
    if (older.size > TIDY_FROM && older.size > 2 * here.size)
      older.keep((item) => here.has(item) && !items.includes(item))
  }

  const enter = (item: Item): void => {
    const at = items.findIndex((one) => compare(one, item) < 0)
    items.splice(at < 0 ? items.length : at, 0, item)
    changed.entered?.(item)
    if (items.length <= most) return
    const last = items.pop()
    if (last === undefined) return
    changed.left?.(last)
    older.push(last)
  }

  return {
    items,
    add(item) {
      if (here.has(item)) return
      here.add(item)
      const last = items[most - 1]
      if (last !== undefined && compare(item, last) < 0) older.push(item)
      else enter(item)
    },
    remove(item) {
      if (!here.delete(item)) return
      const at = items.indexOf(item)
      if (at < 0) {
        tidy()
        return
      }
      items.splice(at, 1)
      changed.left?.(item)
      for (let next = older.pop(); next !== undefined; next = older.pop()) {
        if (!here.has(next) || items.includes(next)) continue
        enter(next)
        return
      }
    },
  }
}

const TIDY_FROM = 8

interface Heap<Item> {
  readonly size: number
  push(item: Item): void
  pop(): Item | undefined
  keep(isKept: (item: Item) => boolean): void
}

/** Gives the greatest first. */
function createHeap<Item>(compare: (a: Item, b: Item) => number): Heap<Item> {
  let heap: Item[] = []
  const isAbove = (a: number, b: number): boolean => {
    const [one, other] = [heap[a], heap[b]]
    return one !== undefined && other !== undefined && compare(one, other) > 0
  }
  const swap = (a: number, b: number): void => {
    const [one, other] = [heap[a], heap[b]]
    if (one === undefined || other === undefined) return
    heap[a] = other
    heap[b] = one
  }
  const push = (item: Item): void => {
    heap.push(item)
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!isAbove(at, parent)) return
      swap(at, parent)
      at = parent
    }
  }

  return {
    get size() {
      return heap.length
    },
    push,
    keep(isKept) {
      const kept = heap.filter(isKept)
      heap = []
      kept.forEach(push)
    },
    pop() {
      const top = heap[0]
      const last = heap.pop()
      if (heap.length > 0 && last !== undefined) heap[0] = last
      for (let at = 0; ;) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        const child = isAbove(right, left) ? right : left
        if (!isAbove(child, at)) return top
        swap(child, at)
        at = child
      }
    },
  }
}
