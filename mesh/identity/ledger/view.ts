import type { DeviceId, InvitationId, PersonId, RoomId } from '../../base/index.ts'
import { lowerRole, type Role } from '../roles.ts'
import type { FieldsOf } from './entry.ts'
import type { FactKey, FactsOf } from './facts.ts'
import { inCommonOrder, type GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import { invitationIdOfKey } from './proofs.ts'
import { isSameKey } from './recovery.ts'
import type { RuleName } from './rule-names.ts'

/** What can be seen from one place in the graph. */
export interface ViewPorts {
  readonly facts: FactsOf
  /** Is it in what is looked at? */
  sees(node: GraphNode): boolean
  /** Does it count? */
  counts(node: GraphNode): boolean
  /** Decisions found by this key that stand though they were not seen, and that the one who looks had not been seen by. */
  against(key: FactKey): readonly GraphNode[]
  /** Is one of those such a one? Looked for no further than the first. */
  isAgainst(key: FactKey, isSuch: (node: GraphNode) => boolean): boolean
}

/** An admission with the person it brings the device to, and what has become of it. */
export interface Standing {
  readonly admission: GraphNode
  readonly person: PersonId
  /** Why it gives no right any more; undefined: it does. */
  readonly lost: Extract<RuleName, 'removed' | 'removal-first'> | undefined
}

/** Who is what, seen from one place. */
export interface View {
  saw(node: GraphNode): boolean
  inForce(node: GraphNode): boolean
  /** The admission by which a device stands: one that still gives rights before one that does not. */
  standingOf(device: DeviceId): Standing | undefined
  /** All admissions of a device that count. */
  standingsOf(device: DeviceId): readonly Standing[]
  hasPerson(person: PersonId): boolean
  personLost(person: PersonId): Standing['lost']
  /** The role as it was seen, and with the lower roles given at the same time. */
  roleOf(person: PersonId): { readonly seen: Role; readonly now: Role } | undefined
  /** True when an owner who is not removed has a device that is not removed. */
  hasOwner(): boolean
  inviteOf(id: InvitationId): GraphNode | undefined
  takenBack(id: InvitationId): Standing['lost']
  recoveryOf(person: PersonId): GraphNode | undefined
  /** True when the recovery key of the person was replaced by somebody who knew it, though it was not seen here. */
  recoveryReplaced(person: PersonId, key: Uint8Array): boolean
  roomOf(room: RoomId): GraphNode | undefined
  /** The entries that keep a person in a room; empty: the person is not in it. */
  keepsInRoom(person: PersonId, room: RoomId): readonly GraphNode[]
}

/** The person an admission brings its device to. */
export function personOfAdmission(node: GraphNode): PersonId {
  const { fields } = node.entry
  if (fields.type === 'create') return fields.person.id
  return (fields as FieldsOf<'admit'>).person
}

/** Looks from one place, as things are when it is made: to be used for one judgement or one fold. */
export function createView(ports: ViewPorts): View {
  const { facts } = ports
  const inForce = (node: GraphNode): boolean => ports.sees(node) && ports.counts(node)

  // a removal takes what it saw and what it did not see, but not what came after it
  const lostTo = (key: FactKey, admission: GraphNode | undefined): Standing['lost'] => {
    const takes = (removal: GraphNode): boolean => admission === undefined || !hasPlace(admission.past, removal.place)
    if (facts.of(key).some((removal) => takes(removal) && inForce(removal))) return 'removed'
    return ports.isAgainst(key, takes) ? 'removal-first' : undefined
  }

  /** The same for many: looked up once, as one device may have been let in and out often. */
  const lossesBy = (key: FactKey): ((admission: GraphNode) => Standing['lost']) => {
    const removals = facts.of(key).filter(inForce)
    let unseen: readonly GraphNode[] | undefined
    return (admission) => {
      const takes = (removal: GraphNode): boolean => !hasPlace(admission.past, removal.place)
      if (removals.some(takes)) return 'removed'
      unseen ??= ports.against(key)
      return unseen.some(takes) ? 'removal-first' : undefined
    }
  }

  const personLost = (person: PersonId): Standing['lost'] => lostTo(`removal:${person}`, undefined)

  const standing = (admission: GraphNode, device: DeviceId): Standing => {
    const person = personOfAdmission(admission)
    const lost = lostTo(`removal:${device}`, admission) ?? lostTo(`removal:${person}`, admission)
    return { admission, person, lost }
  }

  // one judgement asks for the same more than once
  const known = new Map<DeviceId, readonly Standing[]>()
  const standingsOf = (device: DeviceId): readonly Standing[] => {
    const found = known.get(device) ?? lookUp(device)
    known.set(device, found)
    return found
  }

  const lookUp = (device: DeviceId): readonly Standing[] => {
    const admissions = facts.of(`admission:${device}`).filter(inForce)
    const [only] = admissions
    if (only === undefined) return []
    if (admissions.length === 1) return [standing(only, device)]
    const ofDevice = lossesBy(`removal:${device}`)
    const ofPeople = new Map<PersonId, typeof ofDevice>()
    return admissions.map((admission) => {
      const person = personOfAdmission(admission)
      const ofPerson = ofPeople.get(person) ?? lossesBy(`removal:${person}`)
      ofPeople.set(person, ofPerson)
      return { admission, person, lost: ofDevice(admission) ?? ofPerson(admission) }
    })
  }

  const inviteOf = (id: InvitationId): GraphNode | undefined => firstOf(facts.of(`invite:${id}`).filter(inForce))

  /** The role an entry that brought a new person gave it; none where the person was there before. */
  const foundingRole = ({ entry: { fields } }: GraphNode): Role[] => {
    if (fields.type === 'create') return ['owner']
    if (fields.type !== 'admit') return []
    if (fields.newPerson !== undefined) return [fields.newPerson.role]
    const invite =
      fields.invitation === undefined ? undefined : inviteOf(invitationIdOfKey(fields.invitation.key))?.entry.fields
    return invite?.type === 'invite' && typeof invite.person !== 'string' ? [invite.role] : []
  }

  const roleOf = (person: PersonId): { seen: Role; now: Role } | undefined => {
    const said = maximal(facts.of(`role:${person}`).filter(inForce)).map(roleSaid)
    const [first, ...others] =
      said.length > 0 ? said : facts.of(`founding:${person}`).filter(inForce).flatMap(foundingRole)
    if (first === undefined) return undefined
    const seen = others.reduce(lowerRole, first)
    const lowered = ports.against(`role:${person}`).map(roleSaid)
    return { seen, now: lowered.reduce(lowerRole, seen) }
  }

  const ownsWithDevice = (person: PersonId): boolean => {
    if (personLost(person) !== undefined || roleOf(person)?.now !== 'owner') return false
    return facts.of(`device-of:${person}`).some((admission) => {
      const device = admission.entry.certificate?.device
      return device !== undefined && inForce(admission) && standing(admission, device).lost === undefined
    })
  }

  const keepsInRoom = (person: PersonId, room: RoomId): GraphNode[] => {
    const said = [...facts.of(`room:${room}`), ...facts.of(`room-people:${room}`)]
      .filter((node) => inForce(node) && speaksOf(node, person))
      .sort((a, b) => a.place - b.place)
    const last = maximal(said)
    // who was taken out and put in at the same time is out
    if (last.some((node) => takesOut(node, person))) return []
    return ports.isAgainst(`room-people:${room}`, (node) => takesOut(node, person)) ? [] : last
  }

  return {
    saw: ports.sees,
    inForce,
    standingsOf,
    standingOf(device) {
      const all = standingsOf(device).toSorted((a, b) => inCommonOrder(a.admission, b.admission))
      return (
        all.find(({ lost }) => lost === undefined) ?? all.find(({ lost }) => lost === 'removal-first') ?? all.at(-1)
      )
    },
    hasPerson: (person) => facts.of(`device-of:${person}`).some(inForce),
    personLost,
    roleOf,
    hasOwner: () => [...ownersEver(facts)].some(ownsWithDevice),
    inviteOf,
    takenBack: (id) => lostTo(`taken-back:${id}`, undefined),
    recoveryOf(person) {
      const last = lastOf(facts.of(`recovery:${person}`).filter(inForce))
      const { fields } = last?.entry ?? {}
      return fields?.type === 'recovery' && fields.keys !== null ? last : undefined
    },
    recoveryReplaced: (person, key) => ports.isAgainst(`recovery:${person}`, (by) => replacesKey(by, key, facts)),
    roomOf: (room) => facts.of(`room:${room}`).find(inForce),
    keepsInRoom,
  }
}

/** Does this `recovery` entry put another key in the place of one that its author had seen? */
export function replacesKey(by: GraphNode, key: Uint8Array, facts: FactsOf): boolean {
  const { fields } = by.entry
  if (fields.type !== 'recovery' || (fields.keys !== null && isSameKey(fields.keys.sign, key))) return false
  return facts.of(`recovery:${fields.person}`).some(({ entry, place }) => {
    if (entry.fields.type !== 'recovery' || entry.fields.keys === null || !hasPlace(by.past, place)) return false
    return isSameKey(entry.fields.keys.sign, key)
  })
}

/** The first in the common order. */
export function firstOf(nodes: readonly GraphNode[]): GraphNode | undefined {
  return nodes.toSorted(inCommonOrder)[0]
}

/** The last in the common order. */
export function lastOf(nodes: readonly GraphNode[]): GraphNode | undefined {
  return nodes.toSorted(inCommonOrder).at(-1)
}

/** Those that none of the others saw. `nodes` are in the order of their places. */
function maximal(nodes: readonly GraphNode[]): GraphNode[] {
  const kept: GraphNode[] = []
  for (const node of nodes.toReversed()) {
    if (!kept.some((later) => hasPlace(later.past, node.place))) kept.push(node)
  }
  return kept
}

function ownersEver(facts: FactsOf): ReadonlySet<PersonId> {
  return new Set(
    facts.of('may-own').map((node) => {
      const { fields } = node.entry
      return fields.type === 'role' ? fields.person : personOfAdmission(node)
    }),
  )
}

function roleSaid(node: GraphNode): Role {
  return (node.entry.fields as FieldsOf<'role'>).role
}

function speaksOf(node: GraphNode, person: PersonId): boolean {
  const { fields } = node.entry
  if (fields.type === 'room') return fields.people.includes(person)
  return fields.type === 'room-people' && (fields.add.includes(person) || fields.remove.includes(person))
}

function takesOut(node: GraphNode, person: PersonId): boolean {
  const { fields } = node.entry
  return fields.type === 'room-people' && fields.remove.includes(person)
}
