import { toHex } from '../../wire/index.ts'
import type { DeviceId, PersonId } from '../../base/index.ts'
import { certificateHash } from './certificate.ts'
import type { FactsOf } from './facts.ts'
import { areConcurrent, type GraphNode } from './graph.ts'
import { hasPlace, intersectionOf, type Places } from './past.ts'
import { isSameKey } from './recovery.ts'
import type { Judged } from './rules.ts'
import { firstOf } from './view.ts'
import type { Witnesses } from './witnesses.ts'

// A device that came by the recovery key in force is heard before all others of its
// person, until somebody who saw it come removed it. That removal may be the truth, or
// written by the very device that the recovered one removes, long after, as if it had
// not known: nothing in the two tells which of them was first. So it is told by who
// stands for which, of the devices that were there when the words were made: who has the
// words makes devices of its own, and so does who holds a stolen one. Where nobody else
// went on from either, the words outweigh the device.

/** Whom a removal takes, as it saw it. */
export interface Target {
  readonly devices: readonly DeviceId[]
  readonly person: PersonId | undefined
}

/** What precedence looks at. */
export interface PrecedencePorts {
  readonly facts: FactsOf
  readonly witnesses: Witnesses
  judgedFirst(node: GraphNode): Judged
  targetOf(removal: GraphNode): Target
}

/** Which removals are heard first because their author came by recovery words, seen from one set of entries. */
export interface Precedence {
  has(removal: GraphNode): boolean
  /** The first admission by the words that its author showed. Shown once more it is no newer. */
  shownAt(removal: GraphNode): GraphNode | undefined
}

/** A device that came by words, with all that was said by and against it. */
interface Coming {
  readonly device: DeviceId
  readonly person: PersonId
  readonly admissions: readonly GraphNode[]
  /** Removals of it by somebody who had seen it come. */
  readonly against: readonly GraphNode[]
  /** Devices that it removes. */
  readonly removed: ReadonlySet<DeviceId>
  /** It showed the same words at two places, neither of which saw the other: nothing it says of when is believed. */
  readonly isForked: boolean
  /** What was there when the words were made. */
  readonly before: Places
  /** Who went on from a removal, of those that somebody asked about. */
  readonly voices: Map<GraphNode, readonly Voice[]>
}

/** A device that wrote a removal or went on from it. */
interface Voice {
  readonly device: DeviceId
  readonly person: PersonId
  /** What it knew when it first did, on each of its branches. */
  readonly pasts: Places[]
}

/** How many devices of the person stand for a removal, and how many other people. */
interface Side {
  readonly own: number
  readonly people: number
}

/** Looks at the removals among these decisions. */
export function precedenceIn(decisions: readonly GraphNode[], set: Places, ports: PrecedencePorts): Precedence {
  const { facts, witnesses, judgedFirst, targetOf } = ports
  const isHere = (node: GraphNode): boolean => hasPlace(set, node.place) && judgedFirst(node).rule === undefined
  const comings = new Map<string, Coming>()

  const isByWords = (removal: GraphNode): boolean =>
    removal.entry.fields.type === 'revoke' &&
    judgedFirst(removal).byRecovery &&
    targetOf(removal).person === judgedFirst(removal).person
  const removedBy = new Map<DeviceId, Set<DeviceId>>()
  for (const removal of decisions) {
    if (!isByWords(removal)) continue
    const removed = removedBy.get(removal.entry.author) ?? new Set()
    removedBy.set(removal.entry.author, removed)
    for (const device of targetOf(removal).devices) removed.add(device)
  }

  const look = (device: DeviceId, { key, person, name }: Proof): Coming => {
    const admissions = facts.of(`admission:${device}`).filter((one) => isHere(one) && proofOf(one)?.name === name)
    const own = admissions.filter(({ entry }) => entry.author === device)
    const sawItCome = (other: GraphNode): boolean => admissions.some(({ place }) => hasPlace(other.past, place))
    return {
      device,
      person,
      admissions,
      against: facts.of(`removal:${device}`).filter((one) => isHere(one) && sawItCome(one)),
      removed: removedBy.get(device) ?? new Set(),
      isForked: own.some((one) => own.some((other) => areConcurrent(one, other))),
      before: madeBefore(key, person),
      voices: new Map(),
    }
  }

  /** What all who published the words had seen: who publishes them once more brings in nobody. */
  const madeBefore = (key: Uint8Array, person: PersonId): Places => {
    const publishing = facts.of(`recovery:${person}`).filter((one) => {
      const said = one.entry.fields
      return isHere(one) && said.type === 'recovery' && said.keys !== null && isSameKey(said.keys.sign, key)
    })
    return intersectionOf(publishing.map(({ past }) => past))
  }

  const comingOf = (removal: GraphNode): Coming | undefined => {
    const { admission } = judgedFirst(removal)
    const proof = admission === undefined ? undefined : proofOf(admission)
    if (proof === undefined) return undefined
    const known = comings.get(proof.name) ?? look(removal.entry.author, proof)
    comings.set(proof.name, known)
    return known
  }

  /** Who wrote a removal or went on from it, of the devices that were there before the words. */
  const voicesOf = (removal: GraphNode, { device: came, before, voices }: Coming): readonly Voice[] => {
    const known = voices.get(removal)
    if (known !== undefined) return known
    const found = new Map<string, Voice>()
    for (const [device, list] of witnesses.of(removal)) {
      for (const witness of list) {
        const { admission, person } = judgedFirst(witness)
        if (device === came || !hasPlace(set, witness.place)) continue
        if (admission === undefined || person === undefined || !hasPlace(before, admission.place)) continue
        // on each of its branches a device may have been somebody else's
        const voice = found.get(`${device} ${person}`) ?? { device, person, pasts: [] }
        voice.pasts.push(witness.past)
        found.set(`${device} ${person}`, voice)
      }
    }
    const all = [...found.values()]
    voices.set(removal, all)
    return all
  }

  /** Who stands for one of two: did not know the other. */
  const sideOf = (one: GraphNode, other: GraphNode, coming: Coming): Side => {
    let own = 0
    const people = new Set<PersonId>()
    for (const { device, person, pasts } of voicesOf(one, coming)) {
      if (device === other.entry.author || pasts.every((past) => hasPlace(past, other.place))) continue
      if (person === coming.person) own += 1
      else people.add(person)
    }
    return { own, people: people.size }
  }

  /** Does it end the precedence of a removal by one that it saw come? */
  const speaksAgainst = (against: GraphNode, removal: GraphNode, coming: Coming): boolean => {
    // who knew what was removed and removes the remover afterwards leaves it as it is
    if (hasPlace(against.past, removal.place)) return false
    const { admission } = judgedFirst(against)
    const isKnown = admission !== undefined && hasPlace(removal.past, admission.place)
    if (coming.isForked || (isKnown && !coming.removed.has(against.entry.author))) return true
    const [theirs, ours] = [sideOf(against, removal, coming), sideOf(removal, against, coming)]
    // the words are one device more
    const difference = theirs.own - ours.own - 1
    return difference === 0 ? theirs.people > ours.people : difference > 0
  }

  return {
    has(removal) {
      if (!isByWords(removal)) return false
      const coming = comingOf(removal)
      return coming !== undefined && !coming.against.some((one) => speaksAgainst(one, removal, coming))
    },
    shownAt: (removal) => firstOf(comingOf(removal)?.admissions ?? []),
  }
}

/** What somebody showed to come by recovery words. */
interface Proof {
  readonly key: Uint8Array
  readonly person: PersonId
  /** The same for the same proof, wherever it is written. */
  readonly name: string
}

const proofs = new WeakMap<GraphNode, Proof>()

function proofOf(admission: GraphNode): Proof | undefined {
  const { fields } = admission.entry
  if (fields.type !== 'admit' || fields.recovery === undefined) return undefined
  const { person, certificate } = fields
  const { key } = fields.recovery
  const known = proofs.get(admission) ?? {
    key,
    person,
    name: `${person} ${toHex(key)} ${toHex(certificateHash(certificate))}`,
  }
  proofs.set(admission, known)
  return known
}
