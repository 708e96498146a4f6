import { levelAfter, settleLevels } from '../levels.ts'
import type { Place } from './order.ts'

/** Something in a graph of what was seen before what. */
export interface Linked<Self> extends Place {
  level: number
  /** Those whose author had seen this one. */
  readonly children: Set<Self>
  /** What its author had seen last, as far as it is here. */
  readonly parents: Set<Self>
}

/**
 * Who had seen what, and the level that follows from it: a function of the set,
 * whatever order it came in. What comes after all that it names, and before all that
 * name it, costs what it names; what does not is paid for when somebody next looks,
 * with everything that is there.
 */
export interface Links<Node extends Linked<Node>> {
  /** @param seen ids its author names as seen */
  add(node: Node, seen: readonly string[]): void
  remove(node: Node): void
  node(id: string): Node | undefined
  /** Those that nobody names. */
  heads(): ReadonlySet<Node>
  /** Ids that are named and not here, with those that name them. */
  readonly missing: ReadonlyMap<string, ReadonlySet<Node>>
  /** Brings levels and links up to date. True: those of what was there before may be others. */
  settle(): boolean
}

/** Nothing yet. */
export function createLinks<Node extends Linked<Node>>(): Links<Node> {
  const nodes = new Map<string, Node>()
  const seenBy = new Map<Node, readonly string[]>()
  const heads = new Set<Node>()
  /** Those that name another as seen, believed or not, by the one they name. */
  const naming = new Map<string, Set<Node>>()
  /** Of those the ones that name what is not here. */
  const missing = new Map<string, ReadonlySet<Node>>()
  let unbelieved: readonly (readonly [Node, Node])[] = []
  let isTangled = false

  const link = (parent: Node, child: Node): void => {
    parent.children.add(child)
    child.parents.add(parent)
    heads.delete(parent)
  }
  const unlink = (parent: Node, child: Node): void => {
    child.parents.delete(parent)
    if (parent.children.delete(child) && parent.children.size === 0 && nodes.get(parent.id) === parent)
      heads.add(parent)
  }

  return {
    missing,
    node: (id) => nodes.get(id),
    heads: () => heads,
    add(node, given) {
      const seen = [...new Set(given)].filter((id) => id !== node.id)
      nodes.set(node.id, node)
      seenBy.set(node, seen)
      heads.add(node)
      for (const id of seen) {
        const named = naming.get(id) ?? new Set()
        naming.set(id, named.add(node))
        const found = nodes.get(id)
        if (found === undefined) {
          missing.set(id, named)
          continue
        }
        link(found, node)
        node.level = Math.max(node.level, levelAfter(node.order, found))
      }
      missing.delete(node.id)
      const waiting = naming.get(node.id)
      // whom nobody named before closes no circle
      if (waiting === undefined) return
      if (unbelieved.length > 0) isTangled = true
      for (const child of waiting) {
        link(node, child)
        if (levelAfter(child.order, node) > child.level) isTangled = true
      }
    },
    remove(node) {
      nodes.delete(node.id)
      heads.delete(node)
      for (const id of seenBy.get(node) ?? []) {
        const named = naming.get(id)
        named?.delete(node)
        if (named?.size === 0) {
          naming.delete(id)
          missing.delete(id)
        }
      }
      seenBy.delete(node)
      for (const parent of [...node.parents]) unlink(parent, node)
      for (const child of [...node.children]) {
        unlink(node, child)
        if (child.level > 0) isTangled = true
      }
      if (unbelieved.length > 0) isTangled = true
      // all who named it, believed or not
      const named = naming.get(node.id)
      if (named !== undefined) missing.set(node.id, named)
    },
    settle() {
      if (!isTangled) return false
      isTangled = false
      for (const [parent, child] of unbelieved)
        if (nodes.get(parent.id) === parent && nodes.get(child.id) === child) link(parent, child)
      unbelieved = settleLevels(
        nodes.values(),
        (node) => node.parents,
        ({ id }) => id,
      ).unbelieved
      for (const [parent, child] of unbelieved) unlink(parent, child)
      return true
    },
  }
}
