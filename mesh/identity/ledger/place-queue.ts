import type { GraphNode } from './graph.ts'

/** Nodes in the order of their places, each once, however often it was added while it waited. */
export interface PlaceQueue {
  add(node: GraphNode): void
  /** Takes the one with the lowest place out. */
  next(): GraphNode | undefined
}

/** An empty queue: a binary heap. */
export function createPlaceQueue(): PlaceQueue {
  const heap: GraphNode[] = []
  const waiting = new Set<GraphNode>()
  const placeAt = (index: number): number => heap[index]?.place ?? Number.POSITIVE_INFINITY

  const swap = (a: number, b: number): void => {
    const [one, other] = [heap[a], heap[b]]
    if (one === undefined || other === undefined) return
    heap[a] = other
    heap[b] = one
  }
  const rise = (from: number): void => {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1
      if (placeAt(parent) <= placeAt(at)) return
      swap(parent, at)
      at = parent
    }
  }
  const sink = (from: number): void => {
    for (let at = from; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const least = placeAt(right) < placeAt(left) ? right : left
      if (placeAt(least) >= placeAt(at)) return
      swap(least, at)
      at = least
    }
  }

  return {
    add(node) {
      if (waiting.has(node)) return
      waiting.add(node)
      heap.push(node)
      rise(heap.length - 1)
    },
    next() {
      const first = heap[0]
      if (first === undefined) return undefined
      swap(0, heap.length - 1)
      heap.pop()
      sink(0)
      waiting.delete(first)
      return first
    },
  }
}
