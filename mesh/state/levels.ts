import { ORDER_AHEAD_MS } from '../base/index.ts'

/** A claim to stand somewhere in a common order, and the level it has there. */
export interface Leveled {
  /** ms, by the clock of its author. */
  readonly order: number
  /**
   * How often, on the way to it, somebody had seen what claims to stand no earlier than they do.
   * Places go by level before they go by `order`. Nobody claims a level, it follows from what was
   * seen: so nobody has the last word, however far ahead the place is that they claim.
   */
  level: number
}

/** The level something must have at least that was written by who had seen this. */
export function levelAfter(order: number, seen: Pick<Leveled, 'order' | 'level'>): number {
  return seen.order >= order ? seen.level + 1 : seen.level
}

/**
 * Gives everything its level anew, in time in proportion. Who claims to have seen what has seen
 * them lies: of the links within a circle those are not believed, and are given back, that go to
 * an id which sorts later. Ids begin with the time, so what honest authors saw is nearly always
 * believed still, also where somebody erased what they had seen and put a liar under its id.
 * @param seenBy what the author of this one had seen
 */
export function settleLevels<Node extends Leveled>(
  nodes: Iterable<Node>,
  seenBy: (node: Node) => Iterable<Node>,
  idOf: (node: Node) => string,
): { readonly unbelieved: readonly (readonly [seen: Node, by: Node])[] } {
  // Tarjan: a circle is closed after everything that those in it had seen
  const visits = new Map<Node, Visit<Node>>()
  const open: Visit<Node>[] = []
  const unbelieved: (readonly [Node, Node])[] = []
  const enter = (node: Node): Visit<Node> => {
    const index = visits.size
    const visit = { node, index, lowest: index, isOpen: true, rest: seenBy(node)[Symbol.iterator]() }
    visits.set(node, visit)
    open.push(visit)
    return visit
  }
  const close = (circle: ReadonlySet<Node>): void => {
    // what is believed within it goes to earlier ids: they have their levels before
    const inOrder = circle.size === 1 ? circle : [...circle].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
    for (const node of inOrder) {
      node.level = 0
      for (const seen of seenBy(node)) {
        if (circle.has(seen) && idOf(seen) >= idOf(node)) unbelieved.push([seen, node])
        else node.level = Math.max(node.level, levelAfter(node.order, seen))
      }
    }
  }
  const leave = (visit: Visit<Node>): void => {
    const circle = new Set<Node>()
    for (let last = open.pop(); last !== undefined; last = open.pop()) {
      last.isOpen = false
      circle.add(last.node)
      if (last === visit) break
    }
    close(circle)
  }
  const follow = (line: Visit<Node>[]): void => {
    for (let top = line.at(-1); top !== undefined; top = line.at(-1)) {
      const next = top.rest.next()
      if (next.done === true) {
        line.pop()
        const below = line.at(-1)
        if (below !== undefined) below.lowest = Math.min(below.lowest, top.lowest)
        if (top.lowest === top.index) leave(top)
        continue
      }
      const known = visits.get(next.value)
      if (known === undefined) line.push(enter(next.value))
      else if (known.isOpen) top.lowest = Math.min(top.lowest, known.index)
    }
  }
  for (const node of nodes) if (!visits.has(node)) follow([enter(node)])
  return { unbelieved }
}

interface Visit<Node> {
  readonly node: Node
  readonly index: number
  lowest: number
  isOpen: boolean
  readonly rest: Iterator<Node>
}

/** The greatest order that is believed at this time: what is further ahead is followed by nobody. */
export function latestOrder(nowMs: number): number {
  return Math.floor(nowMs) + ORDER_AHEAD_MS
}

/** The orders of everything that was seen, whether they may be true or not. */
export interface OrdersSeen {
  add(order: number): void
  /** The greatest of them that is not above `latest`, or was not in an earlier call. */
  lastUpTo(latest: number): number
}

/** None yet. */
export function createOrdersSeen(): OrdersSeen {
  let last = 0
  let limit = -Infinity
  let ahead: number[] = []
  return {
    add(order) {
      if (order > limit) ahead.push(order)
      else last = Math.max(last, order)
    },
    lastUpTo(latest) {
      limit = Math.max(limit, latest)
      const further: number[] = []
      for (const order of ahead) {
        if (order > limit) further.push(order)
        else last = Math.max(last, order)
      }
      ahead = further
      return last
    },
  }
}
