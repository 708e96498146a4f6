import type { EntryHash } from '../../base/index.ts'
import { createConflicts, type Rivalry } from './conflicts.ts'
import { isConsented } from './entry.ts'
import { createFacts, recorded, type FactKey, type FactsOf } from './facts.ts'
import { closureOf, headsOf, type Graph, type GraphNode } from './graph.ts'
import { differing, hasPlace, withPlace, type Places } from './past.ts'
import { createRanking } from './ranking.ts'
import type { RuleName } from './rule-names.ts'
import { judge, type Judged } from './rules.ts'
import type { ScopeId } from './scope.ts'
import { createDraft, settle, type Draft, type Settlement, type SettlementPorts } from './settlement.ts'
import { createView, type View } from './view.ts'
import { createWitnesses } from './witnesses.ts'

// How it is found what counts:
//
// 1. Each entry is judged once by what it saw alone (the fold of its causal past). That
//    never changes, whatever arrives later.
// 2. Looking at a set of entries that is closed under "saw", decisions (removals, lower
//    roles, what was taken back) are gone through in the order of `ranking.ts`. One whose
//    right still holds stands, for good; it takes what the removed did without having
//    been seen by it.
// 3. Every other entry that was right in (1) counts unless a standing decision takes it or
//    what its right stands on does not count.
//
// Without anything concurrent to a decision against it, (2) and (3) change nothing: that
// is the usual case and costs nothing. Else the cost is in proportion to what the conflict
// touches: entries are judged again only where something they had looked up has changed.

/** Decides which entries of a graph count. */
export interface Court {
  /** Judges the node that was added last. */
  add(node: GraphNode): Judged
  /** Forgets these nodes, which were added last; asked before the graph forgets them. */
  remove(nodes: readonly GraphNode[]): void
  judgedFirst(node: GraphNode): Judged
  /** The state of things over all entries. */
  verdict(): Verdicts
}

/** What counts over all entries. */
export interface Verdicts {
  readonly view: View
  ruleAgainst(node: GraphNode): RuleName | undefined
}

/** Settlements kept at once; each holds what is other in it. */
const SETTLEMENTS_MAX = 256
/** How often the winners of rivalries are looked for, where decisions take those that were found. */
const RIVAL_ROUNDS_MAX = 8

interface RankedRivals {
  readonly rivalry: Rivalry
  readonly ranked: readonly GraphNode[]
}

/** A court over a graph that it follows step by step. */
export function createCourt(graph: Graph): Court {
  const { nodes } = graph
  const facts = createFacts()
  const firsts: Judged[] = []
  /** By place: how things stand in what the entry saw. */
  const settledBefore: Settlement[] = []
  /** By place: how things stand once the entry is there, where it speaks against something it saw. */
  const settledWith = new Map<number, Settlement>()
  /** By place: what was looked up when it was judged first. */
  const consulted: (readonly FactKey[])[] = []
  const consulters = new Map<FactKey, GraphNode[]>()
  const rotations = new Map<ScopeId, { readonly node: GraphNode; readonly highest: number }[]>()
  const judgedFirst = (node: GraphNode): Judged => firsts[node.place] ?? UNJUDGED
  /** Below this place verdicts have looked: who made them knows what was there. */
  let lookedBelow = 0
  const isPossible = (node: GraphNode): boolean => judgedFirst(node).rule === undefined
  const conflicts = createConflicts(nodes, facts, judgedFirst)
  const witnesses = createWitnesses(nodes, judgedFirst)
  const ranking = createRanking({ facts, witnesses, judgedFirst })

  const settlementPorts: SettlementPorts = {
    nodes,
    judged: () => firsts.length,
    isPossible,
    consulted: (node) => consulted[node.place] ?? NO_KEYS,
    consultersOf: (key) => consulters.get(key) ?? NO_NODES,
    takesAny: (decision) => conflicts.takenBy(decision).length > 0,
    takenRights: (decision) => conflicts.takenRights(decision),
    taken: () => conflicts.taken(),
    takersOf: (node) => conflicts.takersOf(node),
    judge: (node, settlement) => judgeUnder(node, settlement, facts, false).rule,
  }
  const nothing = settle(settlementPorts, { takers: [], final: new Set(), fallen: new Map() })
  /** By what they follow from: the decisions of a set in their order. */
  const decided = new Map<string, Settlement>()
  /** By their parts. */
  const settlements = new Map<string, Settlement>()
  /** The parts of each: two of the same parts are the same, also where one was forgotten in between. */
  const keys = new WeakMap<Settlement, string>()
  const isSame = (a: Settlement, b: Settlement): boolean => a === b || (keys.get(a) ?? '') === (keys.get(b) ?? '')

  const newestGeneration = (node: GraphNode, scope: ScopeId): number => {
    let newest = 0
    for (const { node: rotation, highest } of (rotations.get(scope) ?? []).toReversed()) {
      if (newest >= highest) break
      const { fields } = rotation.entry
      if (fields.type === 'rotate' && hasPlace(node.past, rotation.place)) newest = Math.max(newest, fields.generation)
    }
    return newest
  }

  const judgeUnder = (node: GraphNode, settled: Settlement, looked: FactsOf, isFirst: boolean): Judged => {
    const counts = (other: GraphNode): boolean => ruleUnder(other, settled) === undefined
    const sees = (other: GraphNode): boolean => hasPlace(node.past, other.place)
    const isUnseen = (taker: GraphNode): boolean => taker !== node && !sees(taker) && !hasPlace(taker.past, node.place)
    const against = (key: FactKey): readonly GraphNode[] => {
      const takers = settled.takers(key)
      return takers.length === 0 ? takers : takers.filter(isUnseen)
    }
    const isAgainst = (key: FactKey, isSuch: (taker: GraphNode) => boolean): boolean =>
      settled.takers(key).some((taker) => isUnseen(taker) && isSuch(taker))
    const after = (): View =>
      createView({
        facts,
        sees: (other) => other === node || sees(other),
        counts: (other) => other === node || counts(other),
        ...NOBODY_AGAINST,
      })
    return judge({
      node,
      facts: looked,
      isFirst,
      needsConsent: isFirst && hasConsents(nodes),
      judgedFirst,
      after,
      view: createView({ facts: looked, sees, counts, against, isAgainst }),
      find: (hash: EntryHash) => graph.find(hash),
      newestGeneration: (scope) => newestGeneration(node, scope),
    })
  }

  const ruleUnder = (node: GraphNode, settled: Settlement): RuleName | undefined =>
    judgedFirst(node).rule ?? (settled.isEmpty ? undefined : settled.ruleAgainst(node))

  /** True when two things that do not go together come together only now. */
  const isCrossed = (parents: readonly GraphNode[]): boolean => {
    const sets = parents.map((parent) => withPlace(parent.past, parent.place))
    const areTogether = (a: GraphNode, b: GraphNode): boolean =>
      sets.some((set) => hasPlace(set, a.place) && hasPlace(set, b.place))
    const meets = (node: GraphNode, other: GraphNode): boolean =>
      sets.some((set) => hasPlace(set, other.place)) && !areTogether(node, other)
    const hasMet = (node: GraphNode): boolean =>
      conflicts.takersOf(node).some((taker) => meets(node, taker)) ||
      conflicts.takenBy(node).some((taken) => meets(node, taken)) ||
      conflicts
        .rivalriesOf(node)
        .some((rivalry) =>
          facts
            .of(rivalry.key)
            .some((rival) => isPossible(rival) && conflicts.areRivals(rivalry, node, rival) && meets(node, rival)),
        )
    for (const place of differing(sets)) {
      const node = nodes[place]
      if (node !== undefined && isPossible(node) && hasMet(node)) return true
    }
    return false
  }

  const rivalsIn = (set: Places, { key }: Rivalry): GraphNode[] =>
    facts.of(key).filter((rival) => hasPlace(set, rival.place) && isPossible(rival))

  /** Does a decision take it, so that it puts nobody out? A claim stays out all the same: its device has said whose it is. */
  const isNoRival = (rival: GraphNode, { rule }: Rivalry, taken: ReadonlySet<GraphNode>): boolean =>
    taken.has(rival) && !(rule === 'first-admission-wins' && isConsented(rival.entry))

  /** The rivalries of a set, the rivals of each in their rank. Who a decision takes is no rival. */
  const rivalriesIn = (set: Places, taken: ReadonlySet<GraphNode>): RankedRivals[] =>
    [...conflicts.rivalries]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .flatMap((rivalry) => {
        const rivals = rivalsIn(set, rivalry).filter((rival) => !isNoRival(rival, rivalry, taken))
        if (!rivals.some((a) => rivals.some((b) => conflicts.areRivals(rivalry, a, b)))) return []
        return [{ rivalry, ranked: ranking.rivalsInRank(rivals, set) }]
      })

  /** The admissions that lose to a rival, with the rule, and those that win. */
  const outcomeOf = (
    rivalries: readonly RankedRivals[],
    taken: ReadonlySet<GraphNode>,
  ): { losers: Map<GraphNode, RuleName>; winners: GraphNode[] } => {
    const losers = new Map<GraphNode, RuleName>()
    const winners: GraphNode[] = []
    for (const { rivalry, ranked } of rivalries) {
      const here: GraphNode[] = []
      for (const rival of ranked) {
        const isOut = (winner: GraphNode): boolean =>
          conflicts.areRivals(rivalry, winner, rival) && (!taken.has(winner) || !isConsented(rival.entry))
        if (here.some(isOut)) losers.set(rival, rivalry.rule)
        else here.push(rival)
      }
      winners.push(...here)
    }
    return { losers, winners }
  }

  const isContested = (set: Places): boolean => {
    for (const decision of conflicts.decisions) {
      if (!hasPlace(set, decision.place)) continue
      if (conflicts.takenBy(decision).some(({ place }) => hasPlace(set, place))) return true
    }
    return false
  }

  /** Goes through the decisions of a set, those heard first before the others. */
  const decide = (set: Places): Settlement => {
    const rivalries = rivalriesIn(set, NO_RIVALS)
    if (rivalries.length === 0 && !isContested(set)) return nothing
    const possible = facts.of('decision').filter((node) => hasPlace(set, node.place) && isPossible(node))
    const ordered = ranking.inRank(possible, set)
    const inQuestion = ordered.some((decision) => judgedFirst(decision).lowersOwner)
      ? facts.of('admitted').filter(({ place }) => hasPlace(set, place))
      : NO_NODES
    const takers = ordered.filter((decision) => conflicts.takenBy(decision).length > 0)
    const key = [ordered, takers, inQuestion, ...rivalries.map(({ ranked }) => ranked)].map(placesOf).join('|')
    const known = decided.get(key)
    if (known !== undefined) return known
    const settlement = kept(heard(ordered, rivalries, set))
    if (decided.size >= SETTLEMENTS_MAX) decided.clear()
    decided.set(key, settlement)
    return settlement
  }

  /** Where a decision takes the winner of a rivalry, the others are looked at again without it: it puts nobody out. */
  const heard = (ordered: readonly GraphNode[], rivalries: readonly RankedRivals[], set: Places): Draft => {
    const taken = new Set<GraphNode>()
    for (let round = 1; ; round++) {
      const { losers, winners } = outcomeOf(round === 1 ? rivalries : rivalriesIn(set, taken), taken)
      const draft = createDraft(settlementPorts)
      draft.fall(losers)
      hear(ordered, draft, set)
      const lost = winners.filter(
        (winner) => draft.settlement.ruleAgainst(winner) !== undefined && !losers.has(winner) && !taken.has(winner),
      )
      if (lost.length === 0 || round === RIVAL_ROUNDS_MAX) return draft
      for (const winner of lost) taken.add(winner)
    }
  }

  const hear = (ordered: readonly GraphNode[], draft: Draft, set: Places): void => {
    const open = new Set(ordered)
    for (const decision of ordered) {
      if (draft.ruleAgainst(decision) === undefined) {
        const rule = ownerRule(set, draft.settlement, decision, open)
        if (rule === undefined) draft.stand(decision)
        else draft.fall(new Map([[decision, rule]]))
      }
      open.delete(decision)
    }
  }

  const kept = (draft: Draft): Settlement => {
    if (draft.isEmpty) return nothing
    const parts = draft.parts()
    const fell = [...parts.fallen].map(([place, rule]) => `${String(place)}:${rule}`).sort()
    const key = [placesOf(parts.takers), [...parts.final].sort((a, b) => a - b).join(), fell.join()].join('|')
    const found = settlements.get(key)
    if (found !== undefined) return found
    // made anew from its parts: nothing of the way there is left in it
    const made = settle(settlementPorts, parts)
    if (settlements.size >= SETTLEMENTS_MAX) settlements.clear()
    settlements.set(key, made)
    keys.set(made, key)
    return made
  }

  const ownerRule = (
    set: Places,
    settled: Settlement,
    decision: GraphNode,
    open: ReadonlySet<GraphNode>,
  ): RuleName | undefined => {
    if (!judgedFirst(decision).lowersOwner) return undefined
    // what is not decided yet and was not seen has no say in it
    const hasSay = (node: GraphNode): boolean =>
      node === decision || !open.has(node) || hasPlace(decision.past, node.place)
    const view = createView({
      facts,
      sees: (node) => hasPlace(set, node.place) && hasSay(node),
      counts: (node) => ruleUnder(node, settled) === undefined,
      ...NOBODY_AGAINST,
    })
    return view.hasOwner() ? undefined : 'keeps-an-owner'
  }

  /** How things stand once an entry is there: as before it, but where it speaks against what it saw. */
  const settledAt = (node: GraphNode): Settlement => {
    if (!isPossible(node) || judgedFirst(node).overrides.size === 0) return settledBefore[node.place] ?? nothing
    const known = settledWith.get(node.place)
    if (known !== undefined) return known
    witnesses.follow(node.place + 1)
    const settlement = decide(withPlace(node.past, node.place))
    settledWith.set(node.place, settlement)
    return settlement
  }

  /** How things stand over a set that is the parents with all they saw; everything below `size` is judged. */
  const settledOver = (parents: readonly GraphNode[], size: number): Settlement => {
    const [first, ...others] = parents
    if (first === undefined) return nothing
    const before = settledAt(first)
    // an entry on top of everything changes nothing of what was decided below it
    if (others.length === 0) return before
    const isAgreed = others.every((other) => isSame(settledAt(other), before))
    if (isAgreed && !isCrossed(parents)) return before
    witnesses.follow(size)
    return decide(closureOf(parents))
  }

  const noteConsulted = (node: GraphNode, keys: ReadonlySet<FactKey>): void => {
    consulted[node.place] = [...keys]
    for (const key of keys) {
      const list = consulters.get(key)
      if (list === undefined) consulters.set(key, [node])
      else list.push(node)
    }
  }

  return {
    judgedFirst,
    add(node) {
      const before = settledOver(
        node.parents.flatMap((place) => nodes[place] ?? []),
        node.place,
      )
      settledBefore[node.place] = before
      // before it is judged: what the mesh would be with it is part of the question
      facts.add(node)
      const looked = recorded(facts)
      const judged = judgeUnder(node, before, looked, true)
      firsts[node.place] = judged
      if (judged.rule === undefined) noteConsulted(node, looked.keys)
      else consulted[node.place] = NO_KEYS
      conflicts.add(node, judged)
      noteRotation(rotations, node, judged)
      return judged
    },
    remove(gone) {
      const [first] = gone
      if (first === undefined) return
      const size = first.place
      const counted = gone.filter(isPossible)
      facts.remove(gone)
      for (const node of counted.toReversed())
        for (const key of consulted[node.place] ?? NO_KEYS) consulters.get(key)?.pop()
      for (const list of [firsts, settledBefore, consulted]) list.length = Math.min(list.length, size)
      // the usual case: one entry that was refused, which nothing has looked at
      if (gone.length === 1 && counted.length === 0 && lookedBelow <= size) return
      lookedBelow = Math.min(lookedBelow, size)
      conflicts.truncate(size)
      witnesses.truncate(size)
      for (const list of rotations.values()) while ((list.at(-1)?.node.place ?? -1) >= size) list.pop()
      // other nodes take these places
      decided.clear()
      settlements.clear()
      for (const place of settledWith.keys()) if (place >= size) settledWith.delete(place)
      for (const settled of new Set([...settledBefore, ...settledWith.values()])) settled.truncate(size)
    },
    verdict() {
      lookedBelow = Math.max(lookedBelow, nodes.length)
      const settled = settledOver(headsOf(nodes), nodes.length)
      return {
        view: createView({
          facts,
          sees: () => true,
          counts: (node) => ruleUnder(node, settled) === undefined,
          ...NOBODY_AGAINST,
        }),
        ruleAgainst: (node) => ruleUnder(node, settled),
      }
    },
  }
}

const NO_KEYS: readonly FactKey[] = []
const NO_NODES: readonly GraphNode[] = []
const NOBODY_AGAINST = { against: () => NO_NODES, isAgainst: () => false }
const NO_RIVALS: ReadonlySet<GraphNode> = new Set()

const UNJUDGED: Judged = {
  rule: 'lost-support',
  admission: undefined,
  person: undefined,
  role: undefined,
  byRecovery: false,
  maker: undefined,
  lowersOwner: false,
  overrides: NO_RIVALS,
}

/** Did this mesh begin when devices said a word of their own at their admission already? */
function hasConsents([first]: readonly GraphNode[]): boolean {
  return first?.entry.fields.type === 'create' && first.entry.fields.admissions === 'consented'
}

function placesOf(list: readonly GraphNode[]): string {
  return list.map(({ place }) => place).join()
}

function noteRotation(
  rotations: Map<ScopeId, { readonly node: GraphNode; readonly highest: number }[]>,
  node: GraphNode,
  judged: Judged,
): void {
  const { fields } = node.entry
  if (fields.type !== 'rotate' || judged.rule !== undefined) return
  const list = rotations.get(fields.scope) ?? []
  list.push({ node, highest: Math.max(list.at(-1)?.highest ?? 0, fields.generation) })
  rotations.set(fields.scope, list)
}
