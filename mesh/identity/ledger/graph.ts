import { MeshError, type EntryHash } from '../../base/index.ts'
import type { LedgerEntry } from './entry.ts'
import { hasPlace, NO_PLACES, unionOf, withPlace, type Places } from './past.ts'

/** An entry at its place in the graph. */
export interface GraphNode {
  readonly entry: LedgerEntry
  /** Its number in this device's graph: parents have lower ones. Differs between devices. */
  readonly place: number
  /** 0 for the first entry, else one more than its deepest parent. The same everywhere. */
  readonly depth: number
  /** Everything before it, without itself. */
  readonly past: Places
  readonly parents: readonly number[]
}

/** Entries and what each saw. Only grows, but for `truncate`, which undoes additions. */
export interface Graph {
  readonly size: number
  readonly nodes: readonly GraphNode[]
  find(hash: EntryHash): GraphNode | undefined
  /** True when all parents are there. */
  isReady(entry: LedgerEntry): boolean
  /** Adds an entry whose parents are there; one that is there already stays as it is. */
  add(entry: LedgerEntry): GraphNode
  /** Forgets everything added since the graph had this size. */
  truncate(size: number): void
  /** Entries that no other links, sorted by hash. */
  heads(): readonly EntryHash[]
  /** The entries not in the past of these heads, in the common order; unknown heads are skipped. */
  missingFor(heads: readonly EntryHash[]): readonly GraphNode[]
}

/** An empty graph. */
export function createGraph(): Graph {
  const nodes: GraphNode[] = []
  const places = new Map<EntryHash, number>()

  const find = (hash: EntryHash): GraphNode | undefined => {
    const place = places.get(hash)
    return place === undefined ? undefined : nodes[place]
  }

  const parentsOf = (entry: LedgerEntry): GraphNode[] =>
    entry.parents.map((parent) => {
      const node = find(parent)
      if (node === undefined) throw new MeshError('bug', 'An entry was added before one it links.')
      return node
    })

  return {
    get size() {
      return nodes.length
    },
    nodes,
    find,
    isReady: (entry) => entry.parents.every((parent) => places.has(parent)),
    add(entry) {
      const known = find(entry.hash)
      if (known !== undefined) return known
      const parents = parentsOf(entry)
      const node: GraphNode = {
        entry,
        place: nodes.length,
        depth: parents.reduce((depth, parent) => Math.max(depth, parent.depth + 1), 0),
        past: closureOf(parents),
        parents: parents.map((parent) => parent.place),
      }
      nodes.push(node)
      places.set(entry.hash, node.place)
      return node
    },
    truncate(size) {
      for (const { entry } of nodes.splice(size)) places.delete(entry.hash)
    },
    heads() {
      return headsOf(nodes)
        .map((node) => node.entry.hash)
        .sort()
    },
    missingFor(heads) {
      const known = closureOf(heads.flatMap((head) => find(head) ?? []))
      return nodes.filter((node) => !hasPlace(known, node.place)).sort(inCommonOrder)
    },
  }
}

/** The nodes that no other links. */
export function headsOf(nodes: readonly GraphNode[]): GraphNode[] {
  const linked = new Set(nodes.flatMap((node) => node.parents))
  return nodes.filter((node) => !linked.has(node.place))
}

/** The nodes and everything before them. */
export function closureOf(nodes: readonly GraphNode[]): Places {
  let all = NO_PLACES
  for (const node of nodes) all = unionOf(all, node.past)
  for (const node of nodes) all = withPlace(all, node.place)
  return all
}

/** The order all devices agree on: by depth, then by hash. What an entry saw stands before it. */
export function inCommonOrder(a: GraphNode, b: GraphNode): number {
  if (a.depth !== b.depth) return a.depth - b.depth
  return a.entry.hash < b.entry.hash ? -1 : Number(a.entry.hash > b.entry.hash)
}

/** True when neither saw the other. */
export function areConcurrent(a: GraphNode, b: GraphNode): boolean {
  return a !== b && !hasPlace(a.past, b.place) && !hasPlace(b.past, a.place)
}
