import type { DeviceId, PersonId } from '../../base/index.ts'
import { precedenceIn, type Precedence, type Target } from './came-by-words.ts'
import { isConsented } from './entry.ts'
import type { FactKey, FactsOf } from './facts.ts'
import { inCommonOrder, type GraphNode } from './graph.ts'
import { hasPlace, intersectionOf, type Places } from './past.ts'
import { invitationIdOfKey } from './proofs.ts'
import type { Judged } from './rules.ts'
import { firstOf, lastOf, personOfAdmission } from './view.ts'
import type { Witnesses } from './witnesses.ts'

// Who is heard first where things do not go together:
//
// - of removals and other decisions: first those by a device that came by the recovery
//   key in force, against devices of its own person, unless somebody who saw it come
//   removed it (see `came-by-words.ts`); then a removal that more of those
//   who might have made it went on from (a quorum), as far as the removed had known
//   them; then the more senior author.
// - of admissions by one invitation: the one that more devices of the inviter went on
//   from, then more other people, then the first in the common order. Where several
//   people invited, people before devices: how many devices one has is one's own choice.
//
// Only what was admitted before and was known to every side has a voice, so that
// nobody brings witnesses of their own making.

/** What ranking looks at. */
export interface RankingPorts {
  readonly facts: FactsOf
  readonly witnesses: Witnesses
  judgedFirst(node: GraphNode): Judged
}

/** Orders decisions and rivals, seen from one set of entries. */
export interface Ranking {
  /** The decisions, the one that is heard first at the beginning. */
  inRank(decisions: readonly GraphNode[], set: Places): readonly GraphNode[]
  /** Rivals, the one that counts before the others at the beginning. */
  rivalsInRank(rivals: readonly GraphNode[], set: Places): readonly GraphNode[]
}

interface Support {
  /** The device itself went on from it, and knew no other: nobody can sign that for it. */
  readonly isOwn: boolean
  /** Devices of the inviter. */
  readonly inviters: number
  readonly people: ReadonlySet<PersonId>
}

interface Rank {
  /** Where its author showed the recovery key that makes it heard first; undefined: it is not. */
  readonly shown: GraphNode | undefined
  readonly votes: number
  /** By which admission its author is as senior as it is. */
  readonly seniority: GraphNode | undefined
}

/** The one order of decisions and rivals. */
export function createRanking({ facts, witnesses, judgedFirst }: RankingPorts): Ranking {
  /** Whoever shows a recovery key may link what it likes, also what was long ago: of its admissions the last counts. */
  const seniorityOf = (node: GraphNode, set: Places): GraphNode | undefined => {
    const { admission } = judgedFirst(node)
    const { fields, certificate } = admission?.entry ?? {}
    if (fields?.type !== 'admit' || fields.recovery === undefined || certificate === undefined) return admission
    const all = facts.of(`admission:${certificate.device}`)
    return lastOf(all.filter((one) => hasPlace(set, one.place) && judgedFirst(one).rule === undefined)) ?? admission
  }

  const targets = new WeakMap<GraphNode, Target>()
  const targetOf = (removal: GraphNode): Target => {
    const known = targets.get(removal) ?? targetAsSeen(removal)
    targets.set(removal, known)
    return known
  }

  /** Whom a removal takes, as it saw it: a person with all devices, or one device of a person. */
  const targetAsSeen = (removal: GraphNode): Target => {
    const { fields } = removal.entry
    if (fields.type !== 'revoke') return { devices: [], person: undefined }
    const seen = (key: FactKey): GraphNode[] =>
      facts.of(key).filter((one) => hasPlace(removal.past, one.place) && judgedFirst(one).rule === undefined)
    if (fields.person !== undefined)
      return { devices: seen(`device-of:${fields.person}`).flatMap(deviceOf), person: fields.person }
    if (fields.device === undefined) return { devices: [], person: undefined }
    const admission = firstOf(seen(`admission:${fields.device}`))
    return { devices: [fields.device], person: admission === undefined ? undefined : personOfAdmission(admission) }
  }

  /** Had one of these devices written something after it saw the admission, or come after it? */
  const wasKnownTo = (admission: GraphNode, devices: readonly DeviceId[], set: Places): boolean => {
    const seenBy = witnesses.of(admission)
    return devices.some(
      (device) =>
        (seenBy.get(device) ?? []).some(({ place }) => hasPlace(set, place)) ||
        facts.of(`admission:${device}`).some((own) => hasPlace(set, own.place) && hasPlace(own.past, admission.place)),
    )
  }

  const witnessesIn = (subject: GraphNode, set: Places): GraphNode[] =>
    [...witnesses.of(subject).values()].flatMap((list) => {
      const first = firstOf(list.filter(({ place }) => hasPlace(set, place)))
      return first === undefined ? [] : [first]
    })

  /** How many of those who might have made a removal went on from it. */
  const votesFor = (removal: GraphNode, set: Places): number => {
    const own = judgedFirst(removal).person
    const target = targetOf(removal)
    const voices = witnessesIn(removal, set).filter((witness) => {
      if (witness === removal || target.devices.includes(witness.entry.author)) return false
      const { admission } = judgedFirst(witness)
      if (admission === undefined || !hasPlace(removal.past, admission.place)) return false
      return wasKnownTo(admission, target.devices, set)
    })
    if (target.person === own) {
      const devices = voices.filter((witness) => judgedFirst(witness).person === own).map(({ entry }) => entry.author)
      return new Set([...devices, removal.entry.author]).size
    }
    const owners = voices.filter((witness) => judgedFirst(witness).role === 'owner')
    const people = owners.map((witness) => judgedFirst(witness).person).filter((person) => person !== target.person)
    return new Set([...people, own]).size
  }

  const rankOf = (decision: GraphNode, set: Places, words: Precedence): Rank => {
    const isRemoval = decision.entry.fields.type === 'revoke'
    const isByRecovery = isRemoval && words.has(decision)
    return {
      shown: isByRecovery ? words.shownAt(decision) : undefined,
      votes: isRemoval ? votesFor(decision, set) : 1,
      seniority: seniorityOf(decision, set),
    }
  }

  const bySeniority = (a: Rank, b: Rank): number => {
    if (a.seniority === undefined || b.seniority === undefined)
      return Number(a.seniority === undefined) - Number(b.seniority === undefined)
    return inCommonOrder(a.seniority, b.seniority)
  }

  const byRank = (a: Rank, b: Rank): number => {
    // of two that came by the key, the one that showed it last
    if (a.shown !== undefined && b.shown !== undefined) return inCommonOrder(b.shown, a.shown)
    if (a.shown !== b.shown) return a.shown === undefined ? 1 : -1
    return b.votes - a.votes || bySeniority(a, b)
  }

  /**
   * Which of the rivals each device went on from first, of the devices that were there
   * before all of them: by how many of the inviter's, and by how many people. Of one that
   * only some rivals knew, those who wrote the others might say that it is made up.
   */
  const supportOf = (rivals: readonly GraphNode[], set: Places): ReadonlyMap<GraphNode, Support> => {
    const firstSeen = new Map<DeviceId, { readonly witness: GraphNode; readonly seen: readonly GraphNode[] }>()
    const before = intersectionOf([...new Set(rivals.map((rival) => (inviteOf(rival) ?? rival).past))])
    for (const rival of rivals) {
      for (const list of witnesses.of(rival).values()) {
        for (const witness of list) {
          const { admission } = judgedFirst(witness)
          if (!hasPlace(set, witness.place) || admission === undefined || !hasPlace(before, admission.place)) continue
          const { author } = witness.entry
          const known = firstSeen.get(author)
          const order = known === undefined ? -1 : inCommonOrder(witness, known.witness)
          if (order < 0) firstSeen.set(author, { witness, seen: [rival] })
          else if (order === 0) firstSeen.set(author, { witness, seen: [...(known?.seen ?? []), rival] })
        }
      }
    }
    const support = new Map<GraphNode, Support>()
    for (const { witness, seen } of firstSeen.values()) {
      const [rival, another] = seen
      // who learnt of several at once has nothing to say
      if (rival === undefined || another !== undefined) continue
      const { person } = judgedFirst(witness)
      const invite = inviteOf(rival)
      const found = support.get(rival) ?? NO_SUPPORT
      const isInviter = invite !== undefined && judgedFirst(invite).person === person
      support.set(rival, {
        isOwn: found.isOwn,
        inviters: found.inviters + Number(isInviter),
        people: person === undefined ? found.people : new Set([...found.people, person]),
      })
    }
    const byDevice = new Map<DeviceId | undefined, GraphNode[]>()
    for (const rival of rivals) {
      const device = rival.entry.certificate?.device
      const list = byDevice.get(device)
      if (list === undefined) byDevice.set(device, [rival])
      else list.push(rival)
    }
    for (const rival of rivals) {
      const found = support.get(rival) ?? NO_SUPPORT
      const same = byDevice.get(rival.entry.certificate?.device) ?? []
      support.set(rival, { ...found, isOwn: isGoneOnFromByItself(rival, same, set) })
    }
    return support
  }

  /** `same`: the rivals that are of the same device. Of different devices each has its own word, and it says nothing. */
  const isGoneOnFromByItself = (rival: GraphNode, same: readonly GraphNode[], set: Places): boolean => {
    const device = rival.entry.certificate?.device
    if (device === undefined || same.length === 1) return false
    const hasOther = (past: Places): boolean => same.some((other) => other !== rival && hasPlace(past, other.place))
    return (witnesses.of(rival).get(device) ?? []).some(
      ({ place, past, entry }) =>
        hasPlace(set, place) && !same.some((other) => other.entry === entry) && !hasOther(past),
    )
  }

  const makerOf = (use: GraphNode): PersonId | undefined => {
    const invite = inviteOf(use)
    return invite === undefined ? undefined : judgedFirst(invite).person
  }

  const invites = new WeakMap<GraphNode, { readonly invite: GraphNode | undefined }>()
  const inviteOf = (use: GraphNode): GraphNode | undefined => {
    const known = invites.get(use) ?? { invite: inviteAsSeen(use) }
    invites.set(use, known)
    return known.invite
  }

  const inviteAsSeen = (use: GraphNode): GraphNode | undefined => {
    const { fields } = use.entry
    if (fields.type !== 'admit' || fields.invitation === undefined) return undefined
    const known = facts.of(`invite:${invitationIdOfKey(fields.invitation.key)}`)
    return firstOf(known.filter((one) => hasPlace(use.past, one.place) && judgedFirst(one).rule === undefined))
  }

  return {
    inRank(decisions, set) {
      const words = precedenceIn(decisions, set, { facts, witnesses, judgedFirst, targetOf })
      const ranks = new Map(decisions.map((decision) => [decision, rankOf(decision, set, words)]))
      const rankIn = (decision: GraphNode): Rank => ranks.get(decision) ?? rankOf(decision, set, words)
      return decisions.toSorted((a, b) => byRank(rankIn(a), rankIn(b)) || inCommonOrder(a, b))
    },
    rivalsInRank(rivals, set) {
      const support = supportOf(rivals, set)
      const makers = new Set(rivals.map(makerOf))
      // of different devices each has agreed, and it says nothing
      const isOneDevice = new Set(rivals.flatMap(deviceOf)).size === 1
      const word = (rival: GraphNode): number => Number(isOneDevice && isConsented(rival.entry))
      return rivals.toSorted((a, b) => {
        const [one, other] = [support.get(a) ?? NO_SUPPORT, support.get(b) ?? NO_SUPPORT]
        const own = Number(other.isOwn) - Number(one.isOwn)
        // anybody who has seen a certificate could write its device down as theirs
        const proof = Number(isProven(b)) - Number(isProven(a))
        const inviters = other.inviters - one.inviters
        const people = other.people.size - one.people.size
        const voices = makers.size === 1 ? inviters || people : people || inviters
        return own || word(b) - word(a) || proof || voices || inCommonOrder(a, b)
      })
    },
  }
}

const NO_SUPPORT: Support = { isOwn: false, inviters: 0, people: new Set() }

function deviceOf({ entry: { certificate } }: GraphNode): DeviceId[] {
  return certificate === undefined ? [] : [certificate.device]
}

function isProven({ entry: { fields } }: GraphNode): boolean {
  return fields.type === 'admit' && (fields.invitation !== undefined || fields.recovery !== undefined)
}
