import type { DeviceId, PersonId, RoomId } from '../../base/index.ts'
import type { EntryFields, UnknownFields } from './entry.ts'
import { carriesRights, isDecision, type FactKey, type FactsOf } from './facts.ts'
import { areConcurrent, type GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import { invitationIdOfKey } from './proofs.ts'
import type { RuleName } from './rule-names.ts'
import type { Judged } from './rules.ts'
import { roomScope } from './scope.ts'
import { personOfAdmission, replacesKey } from './view.ts'

/** Admissions of which one can count: made at the same time, or a claim and the word of the device itself. */
export interface Rivalry {
  /** Found by it in the facts: an invitation that was used more than once, or a device that went to more than one person. */
  readonly key: FactKey
  readonly rule: Extract<RuleName, 'first-use-wins' | 'first-admission-wins'>
}

/** What was done at the same time and does not go together. Each pair is found once, when its later half arrives. */
export interface Conflicts {
  /** What a decision would take without having seen it. */
  takenBy(decision: GraphNode): readonly GraphNode[]
  /** Of that, what rights stand on, other decisions aside. */
  takenRights(decision: GraphNode): readonly GraphNode[]
  /** All that some decision would take. */
  taken(): Iterable<GraphNode>
  /** The decisions that would take an entry without having seen it. */
  takersOf(node: GraphNode): readonly GraphNode[]
  /** Decisions that would take something. */
  readonly decisions: Iterable<GraphNode>
  readonly rivalries: Iterable<Rivalry>
  /** The rivalries an admission is in. */
  rivalriesOf(node: GraphNode): readonly Rivalry[]
  /** True when only one of two admissions can count. */
  areRivals(rivalry: Rivalry, a: GraphNode, b: GraphNode): boolean
  add(node: GraphNode, judged: Judged): void
  /** Forgets everything from this place on. */
  truncate(size: number): void
}

type JudgedFirst = (node: GraphNode) => Judged

/** An empty record of conflicts. `nodes` is the graph's own growing list. */
export function createConflicts(nodes: readonly GraphNode[], facts: FactsOf, judgedFirst: JudgedFirst): Conflicts {
  const taken = new Map<GraphNode, GraphNode[]>()
  const rights = new Map<GraphNode, GraphNode[]>()
  const takers = new Map<GraphNode, GraphNode[]>()
  const rivalries = new Map<FactKey, Rivalry & { readonly since: number }>()

  const note = (decision: GraphNode, node: GraphNode): void => {
    if (node === decision || !touches(decision, node, judgedFirst, facts)) return
    push(taken, decision, node)
    if (carriesRights(node)) push(rights, decision, node)
    push(takers, node, decision)
  }

  /** Entries that right in what they saw, and that the new one did not see. */
  const unseen = (list: readonly GraphNode[], node: GraphNode): GraphNode[] =>
    list.filter((other) => other !== node && !hasPlace(node.past, other.place) && judgedFirst(other).rule === undefined)

  const areRivals: Conflicts['areRivals'] = ({ rule }, a, b) => {
    if (rule === 'first-use-wins')
      return areConcurrent(a, b) && a.entry.certificate?.device !== b.entry.certificate?.device
    if (personOfAdmission(a) === personOfAdmission(b)) return false
    return areConcurrent(a, b) || judgedFirst(a).overrides.has(b) || judgedFirst(b).overrides.has(a)
  }

  const addRivalries = (node: GraphNode): void => {
    for (const rivalry of possibleRivalries(node)) {
      if (rivalries.has(rivalry.key)) continue
      const isRival = (other: GraphNode): boolean =>
        other !== node && judgedFirst(other).rule === undefined && areRivals(rivalry, node, other)
      if (facts.of(rivalry.key).some(isRival)) rivalries.set(rivalry.key, { ...rivalry, since: node.place })
    }
  }

  return {
    takenBy: (decision) => taken.get(decision) ?? NONE,
    takenRights: (decision) => rights.get(decision) ?? NONE,
    taken: () => takers.keys(),
    takersOf: (node) => takers.get(node) ?? NONE,
    get decisions() {
      return taken.keys()
    },
    get rivalries() {
      return rivalries.values()
    },
    rivalriesOf: (node) => possibleRivalries(node).filter(({ key }) => rivalries.has(key)),
    areRivals,
    add(node, judged) {
      if (judged.rule !== undefined) return
      for (const decision of unseen(facts.of('decision'), node)) note(decision, node)
      if (isDecision(node)) for (const other of unseen(nodes, node)) note(node, other)
      addRivalries(node)
    },
    truncate(size) {
      for (const lists of [taken, rights, takers]) cut(lists, size)
      for (const { key, since } of rivalries.values()) if (since >= size) rivalries.delete(key)
    },
  }
}

const NONE: readonly GraphNode[] = []

function push(lists: Map<GraphNode, GraphNode[]>, key: GraphNode, node: GraphNode): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [node])
  else list.push(node)
}

function cut(lists: Map<GraphNode, GraphNode[]>, size: number): void {
  for (const [key, list] of lists) {
    const kept = list.filter((node) => node.place < size)
    if (key.place >= size || kept.length === 0) lists.delete(key)
    else if (kept.length < list.length) lists.set(key, kept)
  }
}

function possibleRivalries({ entry: { fields, certificate } }: GraphNode): Rivalry[] {
  if (fields.type !== 'admit' || certificate === undefined) return []
  const device: Rivalry = { key: `admission:${certificate.device}`, rule: 'first-admission-wins' }
  if (fields.invitation === undefined) return [device]
  return [{ key: `use:${invitationIdOfKey(fields.invitation.key)}`, rule: 'first-use-wins' }, device]
}

/** Would the decision take the right from the entry, were it seen? */
function touches(decision: GraphNode, node: GraphNode, judgedFirst: JudgedFirst, facts: FactsOf): boolean {
  const { fields } = decision.entry
  const theirs = judgedFirst(node)
  if (judgedFirst(decision).lowersOwner && theirs.lowersOwner && areConcurrent(decision, node)) return true
  switch (fields.type) {
    case 'revoke':
      return fields.person === undefined
        ? isByDevice(node, theirs, fields.device)
        : isByPerson(node.entry.fields, theirs, fields.person)
    case 'role':
      return theirs.person === fields.person || theirs.maker?.person === fields.person
    case 'invite-revoked': {
      const { fields: used } = node.entry
      return (
        used.type === 'admit' && used.invitation !== undefined && invitationIdOfKey(used.invitation.key) === fields.id
      )
    }
    case 'recovery': {
      const { fields: used } = node.entry
      return (
        used.type === 'admit' &&
        used.recovery !== undefined &&
        used.person === fields.person &&
        replacesKey(decision, used.recovery.key, facts)
      )
    }
    case 'room-people': {
      return (
        theirs.person !== undefined && fields.remove.includes(theirs.person) && isInRoom(node.entry.fields, fields.room)
      )
    }
    default:
      return false
  }
}

/** Is it done by the right of being in this room? */
function isInRoom(fields: EntryFields | UnknownFields, room: RoomId): boolean {
  if (fields.type === 'room-people') return fields.room === room
  return (fields.type === 'rotate' || fields.type === 'share') && fields.scope === roomScope(room)
}

function isByDevice(node: GraphNode, theirs: Judged, device: DeviceId | undefined): boolean {
  return node.entry.author === device || theirs.maker?.device === device
}

function isByPerson(fields: EntryFields | UnknownFields, theirs: Judged, person: PersonId): boolean {
  return (
    theirs.person === person || theirs.maker?.person === person || (fields.type === 'admit' && fields.person === person)
  )
}
