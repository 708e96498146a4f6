import type { DeviceId } from '../../base/index.ts'
import type { GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import type { Judged } from './rules.ts'

/**
 * Who wrote something after having seen an admission or a removal. What was written
 * offline, at an early place, or long after has few witnesses; what the mesh went on
 * from has many. That is how a late claim to have been first is told from the truth.
 */
export interface Witnesses {
  /** Takes in everything judged so far below this place. */
  follow(place: number): void
  /**
   * Entries that saw it and no earlier one of the same author did, by author; the
   * author of the subject itself is among them.
   */
  of(subject: GraphNode): ReadonlyMap<DeviceId, readonly GraphNode[]>
  /** Forgets everything from this place on. */
  truncate(size: number): void
}

/** Of one author: what it has not been seen to see yet. */
interface Author {
  /** The newest entries, none of which saw another: more than one is a fork. */
  tips: GraphNode[]
  /** Subjects below this number were looked at. */
  next: number
  left: GraphNode[]
}

const NOBODY: ReadonlyMap<DeviceId, readonly GraphNode[]> = new Map()

/** No witnesses yet. `nodes` is the graph's own growing list. */
export function createWitnesses(nodes: readonly GraphNode[], judgedFirst: (node: GraphNode) => Judged): Witnesses {
  let subjects: GraphNode[] = []
  let found = new Map<GraphNode, Map<DeviceId, GraphNode[]>>()
  let authors = new Map<DeviceId, Author>()
  let reached = 0

  const note = (subject: GraphNode, witness: GraphNode): void => {
    const by = found.get(subject) ?? new Map<DeviceId, GraphNode[]>()
    found.set(subject, by)
    const known = by.get(witness.entry.author)
    if (known === undefined) by.set(witness.entry.author, [witness])
    else if (!known.some(({ place }) => hasPlace(witness.past, place))) known.push(witness)
  }

  const look = (node: GraphNode): void => {
    const id = node.entry.author
    const author = authors.get(id) ?? { tips: [], next: 0, left: [] }
    authors.set(id, author)
    const isChain = author.tips.every(({ place }) => hasPlace(node.past, place))
    author.tips = [...author.tips.filter(({ place }) => !hasPlace(node.past, place)), node]
    // an author that forks may have seen on this branch what it saw on another
    const unseen = isChain ? [...author.left, ...subjects.slice(author.next)] : subjects
    const isSeen = (subject: GraphNode): boolean => subject === node || hasPlace(node.past, subject.place)
    for (const subject of unseen) if (isSeen(subject)) note(subject, node)
    author.left = [...author.left, ...subjects.slice(author.next)].filter((subject) => !isSeen(subject))
    author.next = subjects.length
  }

  return {
    of: (subject) => found.get(subject) ?? NOBODY,
    follow(place) {
      for (; reached < place; reached++) {
        const node = nodes[reached]
        if (node === undefined || judgedFirst(node).rule !== undefined) continue
        const { type } = node.entry.fields
        if (type === 'admit' || type === 'create' || type === 'revoke') subjects.push(node)
        look(node)
      }
    },
    truncate(size) {
      if (size >= reached) return
      // rare: only where something was counted and taken back; found anew from the beginning
      subjects = []
      found = new Map()
      authors = new Map()
      reached = 0
    },
  }
}
