import type { DeviceId, PersonId } from '../../base/index.ts'
import type { EntryFields } from './entry.ts'
import { isDecision, type Facts } from './facts.ts'
import { areConcurrent, inCommonOrder, type GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import { invitationIdOfKey } from './proofs.ts'
import type { RuleName } from './rule-names.ts'
import type { Judged } from './rules.ts'
import { personOfAdmission, replacesKey } from './view.ts'

/** Two admissions made at the same time of which one cannot count. */
export interface Rivals {
  readonly winner: GraphNode
  readonly loser: GraphNode
  readonly rule: Extract<RuleName, 'first-use-wins' | 'first-admission-wins'>
}

/** What was done at the same time and does not go together. Each pair is found once, when its later half arrives. */
export interface Conflicts {
  /** What a decision would take without having seen it. */
  takenBy(decision: GraphNode): readonly GraphNode[]
  readonly decisions: readonly GraphNode[]
  readonly rivals: readonly Rivals[]
  add(node: GraphNode, judged: Judged): void
  truncate(size: number): void
}

type JudgedFirst = (node: GraphNode) => Judged

/** An empty record of conflicts. `nodes` is the graph's own growing list. */
export function createConflicts(nodes: readonly GraphNode[], facts: Facts, judgedFirst: JudgedFirst): Conflicts {
  const taken = new Map<GraphNode, GraphNode[]>()
  let rivals: Rivals[] = []

  const note = (decision: GraphNode, node: GraphNode): void => {
    if (node === decision || !touches(decision, node, judgedFirst, facts)) return
    const list = taken.get(decision)
    if (list === undefined) taken.set(decision, [node])
    else list.push(node)
  }

  /** Entries that right in what they saw, and that the new one did not see. */
  const unseen = (list: readonly GraphNode[], node: GraphNode): GraphNode[] =>
    list.filter((other) => other !== node && !hasPlace(node.past, other.place) && judgedFirst(other).rule === undefined)

  const addRivals = (node: GraphNode): void => {
    const { fields, certificate } = node.entry
    if (fields.type !== 'admit' || certificate === undefined) return
    if (fields.invitation !== undefined) {
      for (const other of unseen(facts.of(`use:${invitationIdOfKey(fields.invitation.key)}`), node)) {
        if (other.entry.certificate?.device !== certificate.device) rivals.push(byOrder(node, other))
      }
    }
    for (const other of unseen(facts.of(`admission:${certificate.device}`), node)) {
      if (personOfAdmission(other) !== fields.person) rivals.push(byProof(node, other))
    }
  }

  return {
    takenBy: (decision) => taken.get(decision) ?? [],
    get decisions() {
      return [...taken.keys()]
    },
    get rivals() {
      return rivals
    },
    add(node, judged) {
      if (judged.rule !== undefined) return
      for (const decision of unseen(facts.of('decision'), node)) note(decision, node)
      if (isDecision(node)) for (const other of unseen(nodes, node)) note(node, other)
      addRivals(node)
    },
    truncate(size) {
      rivals = rivals.filter(({ winner, loser }) => winner.place < size && loser.place < size)
      for (const [decision, list] of taken) {
        const kept = list.filter((node) => node.place < size)
        if (decision.place >= size || kept.length === 0) taken.delete(decision)
        else taken.set(decision, kept)
      }
    },
  }
}

/** The first use of an invitation wins. */
function byOrder(a: GraphNode, b: GraphNode): Rivals {
  const [winner, loser] = inCommonOrder(a, b) < 0 ? [a, b] : [b, a]
  return { winner, loser, rule: 'first-use-wins' }
}

/**
 * A device belongs to whom it proved itself to: anybody who has seen its certificate
 * could write it down as theirs, at a place as early as they like.
 */
function byProof(a: GraphNode, b: GraphNode): Rivals {
  const order = Number(isProven(b)) - Number(isProven(a)) || inCommonOrder(a, b)
  const [winner, loser] = order < 0 ? [a, b] : [b, a]
  return { winner, loser, rule: 'first-admission-wins' }
}

function isProven({ entry: { fields } }: GraphNode): boolean {
  return fields.type === 'admit' && (fields.invitation !== undefined || fields.recovery !== undefined)
}

/** Would the decision take the right from the entry, were it seen? */
function touches(decision: GraphNode, node: GraphNode, judgedFirst: JudgedFirst, facts: Facts): boolean {
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
      const { fields: said } = node.entry
      return (
        said.type === 'room-people' &&
        said.room === fields.room &&
        theirs.person !== undefined &&
        fields.remove.includes(theirs.person)
      )
    }
    default:
      return false
  }
}

function isByDevice(node: GraphNode, theirs: Judged, device: DeviceId | undefined): boolean {
  return node.entry.author === device || theirs.maker?.device === device
}

function isByPerson(fields: EntryFields | { readonly type: 'unknown' }, theirs: Judged, person: PersonId): boolean {
  return (
    theirs.person === person || theirs.maker?.person === person || (fields.type === 'admit' && fields.person === person)
  )
}
