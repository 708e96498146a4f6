import type { EntryHash } from '../../base/index.ts'
import { createConflicts } from './conflicts.ts'
import { createFacts } from './facts.ts'
import { closureOf, inCommonOrder, type Graph, type GraphNode } from './graph.ts'
import { hasPlace, type Places } from './past.ts'
import type { RuleName } from './rule-names.ts'
import { judge, type Judged } from './rules.ts'
import type { ScopeId } from './scope.ts'
import { createView, lastOf, type View } from './view.ts'

// How it is found what counts:
//
// 1. Each entry is judged once by what it saw alone (the fold of its causal past). That
//    never changes, whatever arrives later.
// 2. Looking at a set of entries that is closed under "saw", decisions (removals, lower
//    roles, what was taken back) are gone through from the most senior author to the most
//    junior. One whose right still holds stands, for good; it takes what the removed did
//    without having been seen by it.
// 3. Every other entry that was right in (1) counts unless a standing decision takes it or
//    what its right stands on does not count.
//
// Without anything concurrent to a decision against it, (2) and (3) change nothing: that
// is the usual case and costs nothing.

/** Which decisions stand, seen from one set of entries. */
interface Settlement {
  readonly key: string
  /** Standing decisions that take something they did not see. */
  readonly takers: readonly GraphNode[]
  /** Standing though a junior's decision would take them: what a senior decided is final. */
  readonly final: ReadonlySet<number>
  /** What does not count, and by which rule. */
  readonly fallen: ReadonlyMap<number, RuleName>
  /** Verdicts found so far, by place; undefined: not asked yet. */
  readonly verdicts: (RuleName | null | undefined)[]
  /** Places below this have their verdict, where other entries may depend on it. */
  readonly reached: { place: number }
}

/** Decides which entries of a graph count. */
export interface Court {
  /** Judges the node that was added last. */
  add(node: GraphNode): Judged
  truncate(size: number): void
  judgedFirst(node: GraphNode): Judged
  /** The state of things over all entries. */
  verdict(): Verdicts
}

/** What counts over all entries. */
export interface Verdicts {
  readonly view: View
  ruleAgainst(node: GraphNode): RuleName | undefined
}

/** Settlements kept at once; each holds one small array per ledger. */
const SETTLEMENTS_MAX = 256

/** A court over a graph that it follows step by step. */
export function createCourt(graph: Graph): Court {
  const { nodes } = graph
  const facts = createFacts()
  const firsts: Judged[] = []
  /** By place: how things stand in what the entry saw. */
  const settledBefore: Settlement[] = []
  const rotations = new Map<ScopeId, { readonly node: GraphNode; readonly highest: number }[]>()
  const judgedFirst = (node: GraphNode): Judged => firsts[node.place] ?? UNJUDGED
  const conflicts = createConflicts(nodes, facts, judgedFirst)
  const nothing = settlement('', [], new Set(), new Map())
  const settlements = new Map<string, Settlement>()

  const newestGeneration = (node: GraphNode, scope: ScopeId): number => {
    let newest = 0
    for (const { node: rotation, highest } of (rotations.get(scope) ?? []).toReversed()) {
      if (newest >= highest) break
      const { fields } = rotation.entry
      if (fields.type === 'rotate' && hasPlace(node.past, rotation.place)) newest = Math.max(newest, fields.generation)
    }
    return newest
  }

  const judgeUnder = (node: GraphNode, settled: Settlement, isFirst: boolean): Judged => {
    const against = settled.takers.filter(
      (taker) => taker !== node && !hasPlace(node.past, taker.place) && !hasPlace(taker.past, node.place),
    )
    const counts = (other: GraphNode): boolean => countsUnder(other, settled)
    const sees = (other: GraphNode): boolean => hasPlace(node.past, other.place)
    const after = (): View =>
      createView({
        facts,
        sees: (other) => other === node || sees(other),
        counts: (other) => other === node || counts(other),
        against: [],
      })
    return judge({
      node,
      facts,
      isFirst,
      judgedFirst,
      after,
      view: createView({ facts, sees, counts, against }),
      find: (hash: EntryHash) => graph.find(hash),
      newestGeneration: (scope) => newestGeneration(node, scope),
    })
  }

  const countsUnder = (node: GraphNode, settled: Settlement): boolean => ruleUnder(node, settled) === undefined

  const ruleUnder = (node: GraphNode, settled: Settlement): RuleName | undefined => {
    const first = judgedFirst(node).rule
    if (first !== undefined || settled === nothing) return first
    const fell = settled.fallen.get(node.place)
    if (fell !== undefined) return fell
    if (settled.final.has(node.place)) return undefined
    return verdictUnder(node, settled)
  }

  // in the order of places, so that what a verdict depends on is there before it: a
  // chain of ten thousand roles would else be ten thousand calls deep
  const verdictUnder = (node: GraphNode, settled: Settlement): RuleName | undefined => {
    const known = settled.verdicts[node.place]
    if (known !== undefined) return known ?? undefined
    for (const other of facts.of('structure')) {
      if (other.place < settled.reached.place) continue
      if (other.place >= node.place) break
      settled.reached.place = other.place + 1
      settle(other, settled)
    }
    return settle(node, settled)
  }

  const settle = (node: GraphNode, settled: Settlement): RuleName | undefined => {
    const known = settled.verdicts[node.place]
    if (known !== undefined) return known ?? undefined
    if (judgedFirst(node).rule !== undefined) return judgedFirst(node).rule
    const { rule } = judgeUnder(node, settled, false)
    settled.verdicts[node.place] = rule ?? null
    return rule
  }

  const kept = (
    takers: readonly GraphNode[],
    final: ReadonlySet<number>,
    fallen: ReadonlyMap<number, RuleName>,
  ): Settlement => {
    if (takers.length === 0 && fallen.size === 0) return nothing
    const key = keyOf(takers, final, fallen)
    const found = settlements.get(key)
    if (found !== undefined) return found
    const made = settlement(key, takers, final, fallen)
    if (settlements.size >= SETTLEMENTS_MAX) settlements.clear()
    settlements.set(key, made)
    return made
  }

  /** True when something in the set does not go together. */
  const isContested = (set: Places): boolean =>
    conflicts.decisions.some(
      (decision) =>
        hasPlace(set, decision.place) && conflicts.takenBy(decision).some(({ place }) => hasPlace(set, place)),
    ) || conflicts.rivals.some(({ winner, loser }) => hasPlace(set, winner.place) && hasPlace(set, loser.place))

  /** True when two things that do not go together come together only now. */
  const isCrossed = (parents: readonly GraphNode[]): boolean => {
    const isIn = (node: GraphNode, parent: GraphNode): boolean => node === parent || hasPlace(parent.past, node.place)
    const meet = (a: GraphNode, b: GraphNode): boolean =>
      parents.some((parent) => isIn(a, parent)) &&
      parents.some((parent) => isIn(b, parent)) &&
      !parents.some((parent) => isIn(a, parent) && isIn(b, parent))
    return (
      conflicts.decisions.some((decision) => conflicts.takenBy(decision).some((node) => meet(decision, node))) ||
      conflicts.rivals.some(({ winner, loser }) => meet(winner, loser))
    )
  }

  /** Whoever shows a recovery key may link what it likes, also what was long ago: of its admissions the last counts. */
  const seniorityOf = (node: GraphNode, set: Places): GraphNode | undefined => {
    const { admission } = judgedFirst(node)
    const { fields, certificate } = admission?.entry ?? {}
    if (fields?.type !== 'admit' || fields.recovery === undefined || certificate === undefined) return admission
    const all = facts.of(`admission:${certificate.device}`)
    return lastOf(all.filter((one) => hasPlace(set, one.place) && judgedFirst(one).rule === undefined)) ?? admission
  }

  const bySeniority = (a: GraphNode, b: GraphNode, set: Places): number => {
    const [one, other] = [seniorityOf(a, set), seniorityOf(b, set)]
    if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined)
    return inCommonOrder(one, other) || inCommonOrder(a, b)
  }

  /** Goes through the decisions of a set, the most senior author's first. */
  const decide = (set: Places): Settlement => {
    const fallen = new Map<number, RuleName>()
    for (const { winner, loser, rule } of conflicts.rivals) {
      if (hasPlace(set, winner.place) && hasPlace(set, loser.place)) fallen.set(loser.place, rule)
    }
    const inSet = facts
      .of('decision')
      .filter((node) => hasPlace(set, node.place) && judgedFirst(node).rule === undefined)
    const open = new Set(inSet)
    const takers: GraphNode[] = []
    const stands = new Set<number>()
    const draft = (): Settlement => settlement('', takers.slice(), new Set(stands), new Map(fallen))
    let settled = draft()
    for (const decision of inSet.toSorted((a, b) => bySeniority(a, b, set))) {
      const rule = ruleUnder(decision, settled) ?? ownerRule(set, settled, decision, open)
      open.delete(decision)
      if (rule !== undefined) {
        const isNews = ruleUnder(decision, settled) === undefined
        fallen.set(decision.place, rule)
        if (isNews) settled = draft()
        continue
      }
      stands.add(decision.place)
      if (conflicts.takenBy(decision).length === 0) continue
      takers.push(decision)
      settled = draft()
    }
    return kept(takers, finalOf(inSet, stands, settled), fallen)
  }

  /** Those that stand only because nobody more senior spoke against them. */
  const finalOf = (inSet: readonly GraphNode[], stands: ReadonlySet<number>, settled: Settlement): Set<number> => {
    const bare = settlement('', settled.takers, NO_FINAL, settled.fallen)
    const final = new Set<number>()
    for (const node of inSet) {
      if (!stands.has(node.place)) continue
      if (settle(node, withFinal(bare, final)) !== undefined) final.add(node.place)
    }
    return final
  }

  const ownerRule = (
    set: Places,
    settled: Settlement,
    decision: GraphNode,
    open: ReadonlySet<GraphNode>,
  ): RuleName | undefined => {
    // what is not decided yet and was not seen has no say in it
    const hasSay = (node: GraphNode): boolean =>
      node === decision || !open.has(node) || hasPlace(decision.past, node.place)
    const view = createView({
      facts,
      sees: (node) => hasPlace(set, node.place) && hasSay(node),
      counts: (node) => countsUnder(node, settled),
      against: [],
    })
    return view.hasOwner() ? undefined : 'keeps-an-owner'
  }

  /** How things stand over a set that is the parents with all they saw. */
  const settledOver = (parents: readonly GraphNode[]): Settlement => {
    const [first, ...others] = parents
    if (first === undefined) return nothing
    const before = settledBefore[first.place] ?? nothing
    // an entry on top of everything changes nothing of what was decided below it
    if (others.length === 0) return before
    const isAgreed = others.every((other) => (settledBefore[other.place] ?? nothing) === before)
    if (isAgreed && !isCrossed(parents)) return before
    const set = closureOf(parents)
    return isContested(set) ? decide(set) : nothing
  }

  return {
    judgedFirst,
    add(node) {
      const parents = node.parents.flatMap((place) => nodes[place] ?? [])
      const before = settledOver(parents)
      settledBefore[node.place] = before
      // before it is judged: what the mesh would be with it is part of the question
      facts.add(node)
      const judged = judgeUnder(node, before, true)
      firsts[node.place] = judged
      conflicts.add(node, judged)
      noteRotation(rotations, node, judged)
      return judged
    },
    truncate(size) {
      firsts.length = Math.min(firsts.length, size)
      settledBefore.length = Math.min(settledBefore.length, size)
      facts.truncate(size)
      conflicts.truncate(size)
      for (const list of rotations.values()) while ((list.at(-1)?.node.place ?? -1) >= size) list.pop()
      // what was found about places that others take now
      settlements.clear()
      for (const settled of new Set(settledBefore)) {
        settled.verdicts.length = Math.min(settled.verdicts.length, size)
        settled.reached.place = Math.min(settled.reached.place, size)
        if (settled !== nothing) settlements.set(settled.key, settled)
      }
    },
    verdict() {
      const heads = headsOf(nodes)
      const settled = settledOver(heads)
      return {
        view: createView({ facts, sees: () => true, counts: (node) => countsUnder(node, settled), against: [] }),
        ruleAgainst: (node) => ruleUnder(node, settled),
      }
    },
  }
}

const NO_FINAL: ReadonlySet<number> = new Set()

const UNJUDGED: Judged = {
  rule: 'lost-support',
  admission: undefined,
  person: undefined,
  maker: undefined,
  lowersOwner: false,
}

function settlement(
  key: string,
  takers: readonly GraphNode[],
  final: ReadonlySet<number>,
  fallen: ReadonlyMap<number, RuleName>,
): Settlement {
  return { key, takers, final, fallen, verdicts: [], reached: { place: 0 } }
}

function keyOf(
  takers: readonly GraphNode[],
  final: ReadonlySet<number>,
  fallen: ReadonlyMap<number, RuleName>,
): string {
  const fell = [...fallen].map(([place, rule]) => `${String(place)}:${rule}`).sort()
  return [takers.map(({ place }) => place).join(), [...final].join(), fell.join()].join('|')
}

function withFinal(settled: Settlement, final: ReadonlySet<number>): Settlement {
  return { ...settled, final }
}

function headsOf(nodes: readonly GraphNode[]): GraphNode[] {
  const linked = new Set(nodes.flatMap((node) => node.parents))
  return nodes.filter((node) => !linked.has(node.place))
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
