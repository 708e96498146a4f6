import { keysOf, type FactKey } from './facts.ts'
import { areConcurrent, type GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import { createPlaceQueue } from './place-queue.ts'
import type { RuleName } from './rule-names.ts'

/** What a settlement needs of the court. */
export interface SettlementPorts {
  readonly nodes: readonly GraphNode[]
  /** How many nodes are judged. */
  judged(): number
  /** Does it count by what it saw alone? */
  isPossible(node: GraphNode): boolean
  /** What was looked up when it was judged by what it saw. */
  consulted(node: GraphNode): readonly FactKey[]
  /** Who looked this up, in the order of their places. */
  consultersOf(key: FactKey): readonly GraphNode[]
  /** The rule against a node in the light of a settlement that has everything below it. */
  judge(node: GraphNode, settlement: Settlement): RuleName | undefined
}

/**
 * Which decisions stand, and what does not count because of them. An entry is judged
 * again only where something it had looked up is different now: the cost is in
 * proportion to what a conflict touches, whatever the length of the ledger.
 */
export interface Settlement {
  /** True when nothing is other than it was by what each saw. */
  readonly isEmpty: boolean
  /** Standing decisions found by this key that take something they did not see. */
  takers(key: FactKey): readonly GraphNode[]
  /** The rule against an entry that counts by what it saw. */
  ruleAgainst(node: GraphNode): RuleName | undefined
  /** Forgets everything from this place on. */
  truncate(size: number): void
}

/** A settlement while it is being made: decisions are added one by one. */
export interface Draft extends Settlement {
  /** The decision stands; from now on no other takes it. */
  stand(decision: GraphNode): void
  /** It takes what it did not see. */
  take(decision: GraphNode): void
  /** It does not count, by a rule that is not of its right. */
  fall(node: GraphNode, rule: RuleName): void
  /** Everything that makes this settlement: the same parts make the same one. */
  parts(): SettlementParts
}

/** What a settlement follows from. */
export interface SettlementParts {
  readonly takers: readonly GraphNode[]
  /** Places of decisions that stand though another would take them. */
  readonly final: ReadonlySet<number>
  readonly fallen: ReadonlyMap<number, RuleName>
}

const NONE: readonly GraphNode[] = []

/** A settlement with nothing decided yet. */
export function createDraft(ports: SettlementPorts): Draft {
  return settle(ports, { takers: [], final: new Set(), fallen: new Map() })
}

/** The settlement of these parts, over everything judged so far. */
export function settle(ports: SettlementPorts, parts: SettlementParts): Draft {
  const { nodes } = ports
  const takers = [...parts.takers]
  const final = new Set(parts.final)
  const fallen = new Map(parts.fallen)
  const stands = new Set<number>()
  const changed = new Map<number, RuleName>(fallen)
  const takersByKey = new Map<FactKey, GraphNode[]>()
  /** Keys by which a change is seen. */
  const active = new Set<FactKey>()
  let reached = ports.judged()

  const activate = (node: GraphNode): void => {
    for (const key of keysOf(node)) active.add(key)
  }

  const index = (decision: GraphNode): void => {
    for (const key of keysOf(decision)) {
      const list = takersByKey.get(key)
      if (list === undefined) takersByKey.set(key, [decision])
      else list.push(decision)
    }
    activate(decision)
  }

  /** Judges one node anew; true when it counted before and does not any more. */
  const judgeAnew = (node: GraphNode): boolean => {
    if (changed.has(node.place) || final.has(node.place) || !ports.isPossible(node)) return false
    const rule = ports.judge(node, self)
    if (rule === undefined) return false
    if (stands.has(node.place)) {
      final.add(node.place)
      return false
    }
    changed.set(node.place, rule)
    activate(node)
    return true
  }

  const dependentsOf = (node: GraphNode): GraphNode[] => lookedUp(node, (other) => hasPlace(other.past, node.place))
  const affectedBy = (decision: GraphNode): GraphNode[] => lookedUp(decision, (node) => areConcurrent(node, decision))
  const lookedUp = (node: GraphNode, isMeant: (other: GraphNode) => boolean): GraphNode[] =>
    keysOf(node).flatMap((key) => ports.consultersOf(key).filter(isMeant))

  /** Goes on from nodes to those that looked them up, in the order of places: what a verdict depends on is there before it. */
  const spread = (first: readonly GraphNode[]): void => {
    const queue = createPlaceQueue()
    for (const node of first) queue.add(node)
    for (let node = queue.next(); node !== undefined; node = queue.next())
      if (judgeAnew(node)) for (const other of dependentsOf(node)) queue.add(other)
  }

  const extend = (): void => {
    const size = ports.judged()
    for (; reached < size; reached++) {
      const node = nodes[reached]
      if (node !== undefined && ports.consulted(node).some((key) => active.has(key))) judgeAnew(node)
    }
  }

  const self: Draft = {
    get isEmpty() {
      return takers.length === 0 && fallen.size === 0
    },
    takers: (key) => takersByKey.get(key) ?? NONE,
    ruleAgainst(node) {
      if (node.place >= reached) extend()
      return changed.get(node.place)
    },
    truncate(size) {
      reached = Math.min(reached, size)
      for (const place of changed.keys()) if (place >= size) changed.delete(place)
    },
    stand(decision) {
      stands.add(decision.place)
    },
    take(decision) {
      takers.push(decision)
      index(decision)
      spread(affectedBy(decision))
    },
    fall(node, rule) {
      fallen.set(node.place, rule)
      if (changed.has(node.place)) return
      changed.set(node.place, rule)
      activate(node)
      spread(dependentsOf(node))
    },
    parts: () => ({ takers, final, fallen }),
  }

  for (const decision of takers) index(decision)
  const fell = [...fallen.keys()].flatMap((place) => nodes[place] ?? [])
  for (const node of fell) activate(node)
  spread([...takers.flatMap(affectedBy), ...fell.flatMap(dependentsOf)])
  return self
}
