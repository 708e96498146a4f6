import { levelAfter, settleLevels } from '../levels.ts'
import type { Place } from './order.ts'

/** Something in a graph of what was seen before what. */
export interface Linked<Self> extends Place {
  level: number
  /** Those whose author had seen this one. */
  children: ReadonlySet<Self>
  /** What its author had seen last, as far as it is here. */
  parents: ReadonlySet<Self>
}

/** Of what has none: a set of its own for each takes more memory than all the rest. */
export const NO_LINKS: ReadonlySet<never> = new Set<never>()

/**
 * Who had seen what, and the level that follows from it: a function of the set,
 * whatever order it came in. What comes after all that it names, and before all that
 * name it, costs what it names; what does not is paid for when somebody next looks,
 * with everything that is there.
 */
export interface Links<Node extends Linked<Node>> {
  add(node: Node): void
  remove(node: Node): void
  node(id: string): Node | undefined
  /** Those that nobody names. */
  heads(): ReadonlySet<Node>
  /** Ids that are named and not here, with those that name them. */
  missing(): Iterable<readonly [id: string, by: Iterable<Node>]>
  isMissing(id: string): boolean
  /** Brings levels and links up to date. True: those of what was there before may be others. */
  settle(): boolean
}

/** Nothing yet. @param seenBy ids that the author of this one names as seen, the same whenever it is asked */
export function createLinks<Node extends Linked<Node>>(seenBy: (node: Node) => readonly string[]): Links<Node> {
  const nodes = new Map<string, Node>()
  const heads = new Set<Node>()
  const missing = new Map<string, Node | Set<Node>>()
  /** Links that are not believed, by what is said to have been seen. */
  let unbelieved = new Map<Node, Set<Node>>()
  let isTangled = false

  const link = (parent: Node, child: Node): void => {
    parent.children = withOne(parent.children, child)
    child.parents = withOne(child.parents, parent)
    heads.delete(parent)
  }
  const unlink = (parent: Node, child: Node): void => {
    child.parents = without(child.parents, parent)
    if (!parent.children.has(child)) return
    parent.children = without(parent.children, child)
    if (parent.children.size === 0 && nodes.get(parent.id) === parent) heads.add(parent)
  }
  const miss = (id: string, child: Node): void => {
    const known = missing.get(id)
    if (known === undefined || known === child) missing.set(id, child)
    else missing.set(id, known instanceof Set ? known.add(child) : new Set([known, child]))
  }
  const missNoMore = (id: string, child: Node): void => {
    const known = missing.get(id)
    if (known === child) missing.delete(id)
    else if (known instanceof Set && known.delete(child) && known.size === 0) missing.delete(id)
  }
  const believeAll = (): void => {
    for (const [parent, children] of unbelieved) for (const child of children) link(parent, child)
    unbelieved = new Map()
  }

  return {
    isMissing: (id) => missing.has(id),
    *missing() {
      for (const [id, naming] of missing) yield [id, naming instanceof Set ? naming : [naming]]
    },
    node: (id) => nodes.get(id),
    heads: () => heads,
    add(node) {
      nodes.set(node.id, node)
      heads.add(node)
      for (const id of new Set(seenBy(node))) {
        if (id === node.id) continue
        const found = nodes.get(id)
        if (found === undefined) {
          miss(id, node)
          continue
        }
        link(found, node)
        node.level = Math.max(node.level, levelAfter(node.order, found))
      }
      const waiting = missing.get(node.id)
      // whom nobody named before closes no circle
      if (waiting === undefined) return
      missing.delete(node.id)
      if (unbelieved.size > 0) isTangled = true
      for (const child of waiting instanceof Set ? waiting : [waiting]) {
        link(node, child)
        if (levelAfter(child.order, node) > child.level) isTangled = true
      }
    },
    remove(node) {
      nodes.delete(node.id)
      heads.delete(node)
      if (unbelieved.size > 0) isTangled = true
      for (const id of seenBy(node)) {
        missNoMore(id, node)
        const found = nodes.get(id)
        const lies = found && unbelieved.get(found)
        if (found !== undefined && lies?.delete(node) === true && lies.size === 0) unbelieved.delete(found)
      }
      for (const parent of [...node.parents]) unlink(parent, node)
      // all who named it, believed or not
      const naming = [...node.children, ...(unbelieved.get(node) ?? [])]
      unbelieved.delete(node)
      for (const child of naming) {
        unlink(node, child)
        if (child.level > 0) isTangled = true
        miss(node.id, child)
      }
    },
    settle() {
      if (!isTangled) return false
      isTangled = false
      believeAll()
      const settled = settleLevels(
        nodes.values(),
        (node) => node.parents,
        ({ id }) => id,
      )
      for (const [parent, child] of settled.unbelieved) {
        unlink(parent, child)
        const lies = unbelieved.get(parent) ?? new Set<Node>()
        unbelieved.set(parent, lies.add(child))
      }
      return true
    },
  }
}

function withOne<Node>(links: ReadonlySet<Node>, node: Node): ReadonlySet<Node> {
  return links === NO_LINKS ? new Set([node]) : (links as Set<Node>).add(node)
}

function without<Node>(links: ReadonlySet<Node>, node: Node): ReadonlySet<Node> {
  if (links === NO_LINKS) return links
  ;(links as Set<Node>).delete(node)
  return links.size === 0 ? NO_LINKS : links
}
