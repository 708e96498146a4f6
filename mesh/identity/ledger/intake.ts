import type { Clock, DeviceId, EntryHash } from '../../base/index.ts'
import { createAllowances, createTally, type Amount, type Standing } from './allowance.ts'
import type { Court } from './court.ts'
import type { LedgerEntry } from './entry.ts'
import type { Graph, GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import type { RuleName } from './rule-names.ts'
import type { LedgerState } from './state.ts'
import type { Waiting } from './waiting.ts'

/** What became of entries that were ready to be added. */
export interface Intaken {
  readonly added: readonly LedgerEntry[]
  /** Void by what they saw: everybody refuses them, and keeps nothing of them. */
  readonly refused: ReadonlyMap<EntryHash, RuleName>
  /** More than their author may fill now; taken later, or when somebody else's entry links them. */
  readonly deferred: readonly EntryHash[]
}

/** What intake stands on. */
export interface IntakePorts {
  readonly graph: Graph
  readonly court: Court
  readonly waiting: Waiting
  readonly clock: Clock
  /** The fold of everything in the graph now, what is being looked at included. */
  readonly stateNow: () => LedgerState
}

/** Decides which entries of others become part of this device's ledger. */
export interface Intake {
  /**
   * Adds what is ready, each before those that link it. `isOwn`: from this device's own
   * store; what was taken once is not measured again. Nothing is durable yet.
   */
  add(incoming: readonly LedgerEntry[], options?: { readonly isOwn?: boolean }): Intaken
  /** Why this device may not write this entry, which was added last: others would put it off. */
  refusalOf(node: GraphNode): 'entries' | 'devices' | 'keys' | undefined
  /** What is in the graph stays: it is on the accounts of its authors from now on. */
  settled(): void
  /** Takes back everything since the graph had this size. */
  undo(size: number): void
}

/** What is not kept for itself: void in what it saw, or over its author's allowance. */
type Doubt = 'void' | 'over'

/** Intake into an empty graph. */
export function createIntake(ports: IntakePorts): Intake {
  const { graph, court, waiting } = ports
  const allowances = createAllowances({
    nodes: graph.nodes,
    judgedFirst: (node) => court.judgedFirst(node),
    now: () => ports.clock.now(),
  })

  const undo = (size: number): void => {
    const gone = graph.nodes.slice(size)
    allowances.remove(gone)
    court.remove(gone)
    graph.truncate(size)
  }

  /** Adds an entry whose parents are there, unless its author never belonged or knew it did no more. */
  const tryOne = (entry: LedgerEntry): RuleName | undefined => {
    const size = graph.size
    const { rule } = court.add(graph.add(entry))
    if (rule !== 'not-admitted' && rule !== 'removed') return undefined
    undo(size)
    return rule
  }

  const tryAll = (incoming: readonly LedgerEntry[]): Map<EntryHash, RuleName> => {
    const refused = new Map<EntryHash, RuleName>()
    const children = childrenOf(incoming)
    const ready = incoming.filter((entry) => graph.isReady(entry)).reverse()
    // what waits is looked at where what it waited for has come, not each time
    const linking = (hash: EntryHash): LedgerEntry[] => [
      ...waiting.linking(hash).map(({ entry }) => entry),
      ...(children.get(hash) ?? []),
    ]
    for (let entry = ready.pop(); entry !== undefined; entry = ready.pop()) {
      if (graph.find(entry.hash) !== undefined) continue
      const rule = tryOne(entry)
      if (rule !== undefined) refused.set(entry.hash, rule)
      else for (const child of linking(entry.hash)) if (graph.isReady(child)) ready.push(child)
    }
    return refused
  }

  const isVoid = (node: GraphNode): boolean => {
    const { rule } = court.judgedFirst(node)
    return rule !== undefined && rule !== 'unknown-type'
  }

  /** What is not kept for itself, among the nodes that were added last. */
  const doubtsAbout = (nodes: readonly GraphNode[], isOwn: boolean, before: LedgerState): Map<GraphNode, Doubt> => {
    const doubts = new Map<GraphNode, Doubt>()
    for (const node of nodes) if (isVoid(node)) doubts.set(node, 'void')
    if (isOwn) return doubts
    const wasRemoved = (device: DeviceId): boolean => isRemovedIn(before, device)
    const isLate = nodes.some((node) => wasRemoved(node.entry.author))
    if (!isLate && allowances.isAmple(nodes)) return doubts
    const after = ports.stateNow()
    allowances.learn(nodes)
    const taken = createTally()
    for (const node of nodes) {
      if (doubts.has(node)) continue
      const { author } = node.entry
      const standing = standingIn(after)
      const isTaken = wasRemoved(author)
        ? allowances.mayBeLate(author)
        : allowances.mayTake(node, taken, standing) && !allowances.isCrowded(node, taken, standing)
      if (!isTaken) doubts.set(node, 'over')
      else if (wasRemoved(author)) allowances.noteLate(author)
      else taken.add(node, allowances.accountsOf(node, taken))
    }
    return doubts
  }

  /**
   * Of the nodes that were added last, those that stay: what is in doubt only where an
   * entry of somebody else, who has room for it, links it. Nobody is cut off from what
   * another device took, and nobody brings in more than so much.
   */
  const keptOf = (
    nodes: readonly GraphNode[],
    doubts: ReadonlyMap<GraphNode, Doubt>,
    isOwn: boolean,
  ): Set<GraphNode> => {
    const kept = new Set<GraphNode>()
    const open = new Set(doubts.keys())
    for (const node of nodes) {
      if (doubts.has(node)) continue
      const needed = [...open].filter(({ place }) => hasPlace(node.past, place))
      if (needed.length > 0 && !mayBringAll(node, needed, doubts, isOwn)) {
        open.add(node)
        continue
      }
      kept.add(node)
      for (const other of needed) {
        kept.add(other)
        open.delete(other)
      }
    }
    return kept
  }

  const mayBringAll = (
    node: GraphNode,
    needed: readonly GraphNode[],
    doubts: ReadonlyMap<GraphNode, Doubt>,
    isOwn: boolean,
  ): boolean => {
    if (isOwn) return true
    // a device brings in nothing of its own; a sibling that had heard it, before it was flooded or removed, may
    const isForSelf = (other: GraphNode): boolean =>
      doubts.get(other) !== 'void' && other.entry.author === node.entry.author
    if (needed.some(isForSelf)) return false
    const brought = amountOf(needed)
    if (!allowances.mayBring(node, brought)) return false
    allowances.bring(node, brought)
    return true
  }

  return {
    undo,
    settled() {
      allowances.follow(graph.size)
    },
    refusalOf(node) {
      if (allowances.isShareOver(node, () => standingIn(ports.stateNow()))) return 'keys'
      if (allowances.isAmple([node])) return undefined
      const standing = standingIn(ports.stateNow())
      if (allowances.isCrowded(node, createTally(), standing)) return 'devices'
      return allowances.mayTake(node, createTally(), standing) ? undefined : 'entries'
    },
    add(incoming, { isOwn = false } = {}) {
      const size = graph.size
      const before = ports.stateNow()
      const refused = tryAll(incoming)
      const nodes = graph.nodes.slice(size)
      const doubts = doubtsAbout(nodes, isOwn, before)
      const deferred: EntryHash[] = []
      if (doubts.size > 0) {
        const kept = keptOf(nodes, doubts, isOwn)
        const isWhole = kept.size === nodes.length
        for (const node of nodes) {
          if (kept.has(node)) continue
          const { rule } = court.judgedFirst(node)
          if (doubts.get(node) === 'void' && rule !== undefined) refused.set(node.entry.hash, rule)
          else deferred.push(node.entry.hash)
        }
        if (!isWhole) {
          undo(size)
          for (const node of nodes) if (kept.has(node)) court.add(graph.add(node.entry))
        }
      }
      allowances.follow(graph.size)
      return { added: graph.nodes.slice(size).map(({ entry }) => entry), refused, deferred }
    },
  }
}

function standingIn(state: LedgerState): Standing {
  return {
    isRemoved: (device) => isRemovedIn(state, device),
    isOf: (device, person) => state.devices.get(device)?.person === person && !isRemovedIn(state, device),
  }
}

function isRemovedIn(state: LedgerState, device: DeviceId): boolean {
  const known = state.devices.get(device)
  if (known === undefined) return false
  return known.removedAt !== null || (state.people.get(known.person)?.removedAt ?? null) !== null
}

function amountOf(nodes: readonly GraphNode[]): Amount {
  return { entries: nodes.length, bytes: nodes.reduce((sum, { entry }) => sum + entry.bytes.byteLength, 0) }
}

function childrenOf(entries: readonly LedgerEntry[]): Map<EntryHash, LedgerEntry[]> {
  const children = new Map<EntryHash, LedgerEntry[]>()
  for (const entry of entries) {
    for (const parent of entry.parents) {
      const list = children.get(parent)
      if (list === undefined) children.set(parent, [entry])
      else list.push(entry)
    }
  }
  return children
}
