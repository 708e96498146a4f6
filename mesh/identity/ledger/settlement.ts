import { carriesRights, keysOf, type FactKey } from './facts.ts'
import type { GraphNode } from './graph.ts'
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
  /** True when a decision would take something without having seen it. */
  takesAny(decision: GraphNode): boolean
  /** What it would take of that which rights stand on, other decisions aside. */
  takenRights(decision: GraphNode): readonly GraphNode[]
  /** All that some decision would take. */
  taken(): Iterable<GraphNode>
  takersOf(node: GraphNode): readonly GraphNode[]
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

/**
 * A settlement while it is being made: each decision is asked in its turn, and then
 * stands or not. Only what rights stand on is judged meanwhile.
 */
export interface Draft {
  /** True when nothing was taken and nothing fell. */
  readonly isEmpty: boolean
  /** A decision in its turn: does its right still hold? */
  ruleAgainst(decision: GraphNode): RuleName | undefined
  /** As things stand so far. */
  readonly settlement: Settlement
  /** The decision stands, and takes what it did not see; from now on no other takes it. */
  stand(decision: GraphNode): void
  /** These do not count, by rules that are not of their right. Many at once cost no more than what stands on them. */
  fall(nodes: ReadonlyMap<GraphNode, RuleName>): void
  /** Everything that makes the settlement, when all were asked: the same parts make the same one. */
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

/** The settlement of these parts, over everything judged so far. */
export function settle(ports: SettlementPorts, parts: SettlementParts): Settlement {
  const state = createState(ports, () => true)
  for (const [place, rule] of parts.fallen) state.change(place, rule)
  for (const place of parts.final) state.final.add(place)
  for (const decision of parts.takers) state.index(decision)
  const fell = [...parts.fallen.keys()].flatMap((place) => ports.nodes[place] ?? [])
  const taken = parts.takers.length === 0 ? [] : [...ports.taken()].filter(state.isInQuestion)
  state.spread([...taken, ...fell.flatMap(state.dependentsOf)])
  return state.settlement
}

/** Begins a settlement. */
export function createDraft(ports: SettlementPorts): Draft {
  const takers: GraphNode[] = []
  const fallen = new Map<number, RuleName>()
  const stands: GraphNode[] = []
  // decisions are asked in their turn, not when something touches them
  const state = createState(ports, carriesRights)

  const change = (node: GraphNode, rule: RuleName): void => {
    if (state.change(node.place, rule)) state.spread(state.dependentsOf(node))
  }

  return {
    get isEmpty() {
      return takers.length === 0 && fallen.size === 0
    },
    settlement: state.settlement,
    ruleAgainst(decision) {
      const known = state.settlement.ruleAgainst(decision)
      if (known !== undefined || !state.isInQuestion(decision)) return known
      const rule = ports.judge(decision, state.settlement)
      if (rule !== undefined) change(decision, rule)
      return rule
    },
    stand(decision) {
      stands.push(decision)
      if (!ports.takesAny(decision)) return
      takers.push(decision)
      state.index(decision)
      state.spread(ports.takenRights(decision))
    },
    fall(nodes) {
      const fell: GraphNode[] = []
      for (const [node, rule] of nodes) {
        fallen.set(node.place, rule)
        if (state.change(node.place, rule)) fell.push(node)
      }
      state.spread(new Set(fell.flatMap(state.dependentsOf)))
    },
    parts() {
      // what stands only because nobody who is heard before spoke against it
      const isTaken = (node: GraphNode): boolean =>
        state.isInQuestion(node) && ports.judge(node, state.settlement) !== undefined
      return { takers, fallen, final: new Set(stands.filter(isTaken).map(({ place }) => place)) }
    },
  }
}

interface State {
  readonly settlement: Settlement
  readonly final: Set<number>
  /** Notes that a node does not count; false when that was known. */
  change(place: number, rule: RuleName): boolean
  /** Makes a decision found as one that takes. */
  index(decision: GraphNode): void
  /** Has anything that it stands on changed, or does anything take it? */
  isInQuestion(node: GraphNode): boolean
  /** Judges these anew, and whatever stands on those that fall, in the order of places: what a verdict depends on is there before it. */
  spread(first: Iterable<GraphNode>): void
  /** Who looked up what this one is found by, and saw it. */
  dependentsOf(node: GraphNode): GraphNode[]
}

function createState(ports: SettlementPorts, isJudged: (node: GraphNode) => boolean): State {
  const { nodes } = ports
  const final = new Set<number>()
  const changed = new Map<number, RuleName>()
  const standing = new Set<GraphNode>()
  const takersByKey = new Map<FactKey, GraphNode[]>()
  /** Keys of what does not count: who looked one up may have to be judged anew. */
  const active = new Set<FactKey>()
  let reached = ports.judged()

  const change = (place: number, rule: RuleName): boolean => {
    if (changed.has(place)) return false
    changed.set(place, rule)
    const node = nodes[place]
    if (node !== undefined) for (const key of keysOf(node)) active.add(key)
    return true
  }

  const isInQuestion = (node: GraphNode): boolean =>
    ports.takersOf(node).some((taker) => standing.has(taker)) ||
    (active.size > 0 && ports.consulted(node).some((key) => active.has(key)))

  /** True when it counted before and does not any more. */
  const judgeAnew = (node: GraphNode): boolean => {
    if (changed.has(node.place) || final.has(node.place) || !ports.isPossible(node)) return false
    const rule = ports.judge(node, settlement)
    return rule !== undefined && change(node.place, rule)
  }

  const extend = (): void => {
    const size = ports.judged()
    for (; reached < size; reached++) {
      const node = nodes[reached]
      if (node !== undefined && isJudged(node) && isInQuestion(node)) judgeAnew(node)
    }
  }

  const settlement: Settlement = {
    get isEmpty() {
      return standing.size === 0 && changed.size === 0
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
  }

  const dependentsOf = (node: GraphNode): GraphNode[] =>
    keysOf(node).flatMap((key) => ports.consultersOf(key).filter((other) => hasPlace(other.past, node.place)))

  return {
    settlement,
    final,
    change,
    isInQuestion,
    dependentsOf,
    index(decision) {
      standing.add(decision)
      for (const key of keysOf(decision)) {
        const list = takersByKey.get(key)
        if (list === undefined) takersByKey.set(key, [decision])
        else list.push(decision)
      }
    },
    spread(first) {
      const queue = createPlaceQueue()
      const put = (list: Iterable<GraphNode>): void => {
        for (const node of list) if (isJudged(node)) queue.add(node)
      }
      put(first)
      for (let node = queue.next(); node !== undefined; node = queue.next())
        if (judgeAnew(node)) put(dependentsOf(node))
    },
  }
}
