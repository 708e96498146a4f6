import type { DeviceId, EntryHash, InvitationId, MeshId, PersonId, RoomId } from '../../base/index.ts'
import { asId, MeshError } from '../../base/index.ts'
import { toHex } from '../../wire/index.ts'
import type { Certificate, SignedCertificate } from './certificate.ts'
import type { Verdicts } from './court.ts'
import { isConsented, type EntryFields, type FieldsOf } from './entry.ts'
import { inCommonOrder, type GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import { invitationIdOfKey } from './proofs.ts'
import type { RuleName } from './rule-names.ts'
import { roomIdOf, type ScopeId } from './scope.ts'
import type {
  LedgerDevice,
  LedgerEpoch,
  LedgerInvitation,
  LedgerPerson,
  LedgerRecovery,
  LedgerRoom,
  LedgerShare,
  LedgerState,
} from './state.ts'
import { personOfAdmission, type Standing, type View } from './view.ts'

type Type = EntryFields['type']
type NodeOf<Of extends Type> = GraphNode & { readonly entry: { readonly fields: FieldsOf<Of> } }

/** What the fold needs to know of the court's first judgement. */
export interface FoldPorts {
  readonly mesh: MeshId
  readonly nodes: readonly GraphNode[]
  readonly verdicts: Verdicts
  isPossible(node: GraphNode): boolean
  personOf(node: GraphNode): PersonId | undefined
}

/** The state all entries together make. Pure: the same entries in any order give the same. */
export function fold(ports: FoldPorts): LedgerState {
  const ordered = ports.nodes.toSorted(inCommonOrder)
  const ignored = new Map<EntryHash, RuleName>()
  for (const node of ordered) {
    const rule = ports.verdicts.ruleAgainst(node)
    if (rule !== undefined) ignored.set(node.entry.hash, rule)
  }
  const counting = ordered.filter((node) => !ignored.has(node.entry.hash))
  const of = <Of extends Type>(type: Of): NodeOf<Of>[] =>
    counting.filter((node): node is NodeOf<Of> => node.entry.fields.type === type)
  const { view } = ports.verdicts
  const devices = devicesOf(counting, of('certify'), of('rename'), view)
  return {
    mesh: ports.mesh,
    name: of('rename').findLast(isOfMesh)?.entry.fields.name ?? of('create')[0]?.entry.fields.name ?? '',
    people: peopleOf(counting, of('rename'), of('revoke'), view),
    devices,
    invitations: invitationsOf(ports, of('invite'), of('admit')),
    recoveries: recoveriesOf(of('recovery'), view),
    rooms: roomsOf(ports, of('room'), of('room-people')),
    epochs: epochsOf(
      ordered.filter((node): node is NodeOf<'rotate'> => isRotation(node) && ports.isPossible(node)),
      ignored,
    ),
    shares: of('share').map(shareOf),
    ignored,
    neverCounted: new Set(ordered.filter((node) => !ports.isPossible(node)).map((node) => node.entry.hash)),
  }
}

function isOfMesh({ entry: { fields } }: NodeOf<'rename'>): boolean {
  return fields.device === undefined && fields.person === undefined
}

function isRotation(node: GraphNode): boolean {
  return node.entry.fields.type === 'rotate'
}

function peopleOf(
  counting: readonly GraphNode[],
  renames: readonly NodeOf<'rename'>[],
  removals: readonly NodeOf<'revoke'>[],
  view: View,
): Map<PersonId, LedgerPerson> {
  const people = new Map<PersonId, LedgerPerson>()
  for (const node of counting) {
    const { fields, at } = node.entry
    if (fields.type !== 'create' && fields.type !== 'admit') continue
    const id = personOfAdmission(node)
    const role = view.roleOf(id)?.now
    if (people.has(id) || role === undefined) continue
    const removal = removals.find(({ entry }) => entry.fields.person === id)?.entry
    people.set(id, {
      id,
      name: renames.findLast(({ entry }) => entry.fields.person === id)?.entry.fields.name ?? bornName(node, view),
      role,
      addedAt: at,
      removedAt: removal?.at ?? null,
      removedBy: removal?.author ?? null,
    })
  }
  return people
}

function bornName(node: GraphNode, view: View): string {
  const { fields } = node.entry
  if (fields.type === 'create') return fields.person.name
  if (fields.type !== 'admit') return ''
  if (fields.newPerson !== undefined) return fields.newPerson.name
  const invite =
    fields.invitation === undefined ? undefined : view.inviteOf(invitationIdOfKey(fields.invitation.key))?.entry.fields
  return invite?.type === 'invite' && typeof invite.person !== 'string' ? invite.person.name : ''
}

function devicesOf(
  counting: readonly GraphNode[],
  certified: readonly NodeOf<'certify'>[],
  renames: readonly NodeOf<'rename'>[],
  view: View,
): Map<DeviceId, LedgerDevice> {
  const devices = new Map<DeviceId, LedgerDevice>()
  for (const { entry } of counting) {
    const id = entry.certificate?.device
    if (id === undefined || devices.has(id)) continue
    const standing = view.standingOf(id)
    if (standing !== undefined) devices.set(id, deviceOf(id, standing, counting, certified, renames))
  }
  return devices
}

function deviceOf(
  id: DeviceId,
  { admission, person, lost }: Standing,
  counting: readonly GraphNode[],
  certified: readonly NodeOf<'certify'>[],
  renames: readonly NodeOf<'rename'>[],
): LedgerDevice {
  const since = (node: GraphNode): boolean => hasPlace(node.past, admission.place)
  const newest = certified.findLast((node) => node.entry.author === id && since(node)) ?? admission
  const name = renames.findLast((node) => node.entry.fields.device === id && since(node))?.entry.fields.name
  const { certificate, signed } = certificateOf(newest)
  const removal = lost === undefined ? undefined : removalOf(id, person, admission, counting)
  return {
    id,
    name: name ?? certificate.name,
    kind: certificate.kind,
    person,
    sealingKey: certificate.sealingKey,
    certificate: signed,
    certifiedBy: newest.entry.hash,
    admittedAt: admission.entry.at,
    admittedBy: admission.entry.author,
    admission: admission.entry.hash,
    invitation: invitationOf(admission),
    recovered: isRecovered(admission),
    consented: isConsented(admission.entry),
    removedAt: removal?.entry.at ?? null,
    removedBy: removal?.entry.author ?? null,
  }
}

function removalOf(
  id: DeviceId,
  person: PersonId,
  admission: GraphNode,
  counting: readonly GraphNode[],
): GraphNode | undefined {
  return counting.find(({ entry: { fields }, place }) => {
    if (fields.type !== 'revoke' || hasPlace(admission.past, place)) return false
    return fields.device === id || fields.person === person
  })
}

function certificateOf({ entry }: GraphNode): { certificate: Certificate; signed: SignedCertificate } {
  const { fields, certificate } = entry
  if (certificate === undefined || !('certificate' in fields))
    throw new MeshError('bug', 'An entry lacks its certificate.')
  return { certificate, signed: fields.certificate }
}

function invitationOf({ entry: { fields } }: GraphNode): InvitationId | null {
  return fields.type === 'admit' && fields.invitation !== undefined ? invitationIdOfKey(fields.invitation.key) : null
}

function isRecovered({ entry: { fields } }: GraphNode): boolean {
  return fields.type === 'admit' && fields.recovery !== undefined
}

function invitationsOf(
  { personOf, verdicts: { view } }: FoldPorts,
  invites: readonly NodeOf<'invite'>[],
  admissions: readonly NodeOf<'admit'>[],
): Map<InvitationId, LedgerInvitation> {
  const usedBy = new Map<InvitationId, DeviceId>()
  for (const node of admissions) {
    const id = invitationOf(node)
    const device = node.entry.certificate?.device
    if (id !== null && device !== undefined && !usedBy.has(id)) usedBy.set(id, device)
  }
  const invitations = new Map<InvitationId, LedgerInvitation>()
  for (const node of invites) {
    const { fields, hash, author } = node.entry
    const id = invitationIdOfKey(fields.key)
    const maker = personOf(node)
    if (invitations.has(id) || maker === undefined) continue
    const user = usedBy.get(id)
    const isBack = view.takenBack(id) !== undefined || !mayStillInvite(view, author)
    invitations.set(id, {
      id,
      key: fields.key,
      entry: hash,
      madeBy: author,
      madeByPerson: maker,
      person: typeof fields.person === 'string' ? fields.person : fields.person.id,
      personName: typeof fields.person === 'string' ? null : fields.person.name,
      role: fields.role,
      confirmation: fields.confirmation,
      expiresAt: fields.expiresAt,
      lifetimeMs: fields.lifetimeMs,
      state: user !== undefined ? 'used' : isBack ? 'revoked' : 'open',
      usedBy: user ?? null,
    })
  }
  return invitations
}

function mayStillInvite(view: View, maker: DeviceId): boolean {
  return view.standingOf(maker)?.lost === undefined
}

function recoveriesOf(entries: readonly NodeOf<'recovery'>[], view: View): Map<PersonId, LedgerRecovery> {
  const recoveries = new Map<PersonId, LedgerRecovery>()
  for (const { entry } of entries) {
    const { person } = entry.fields
    const inForce = view.recoveryOf(person)?.entry
    const keys = inForce?.fields.type === 'recovery' ? inForce.fields.keys : null
    if (inForce === undefined || keys === null || view.personLost(person) !== undefined) continue
    recoveries.set(person, { person, sign: keys.sign, seal: keys.seal, entry: inForce.hash })
  }
  return recoveries
}

function roomsOf(
  { personOf, verdicts: { view } }: FoldPorts,
  rooms: readonly NodeOf<'room'>[],
  changes: readonly NodeOf<'room-people'>[],
): Map<RoomId, LedgerRoom> {
  const all = new Map<RoomId, LedgerRoom>()
  for (const node of rooms) {
    const { fields, hash, author } = node.entry
    const id = roomIdOf(hash)
    const creator = personOf(node)
    if (creator === undefined) continue
    const named = changes.filter(({ entry }) => entry.fields.room === id).flatMap(({ entry }) => entry.fields.add)
    const joinedBy = new Map<PersonId, readonly EntryHash[]>()
    for (const person of new Set([...fields.people, ...named])) {
      const by = view.personLost(person) === undefined ? view.keepsInRoom(person, id) : []
      if (by.length > 0)
        joinedBy.set(
          person,
          by.map(({ entry }) => entry.hash),
        )
    }
    all.set(id, {
      id,
      people: new Set(joinedBy.keys()),
      history: fields.history,
      createdBy: author,
      createdByPerson: creator,
      joinedBy,
    })
  }
  return all
}

function epochsOf(
  rotations: readonly NodeOf<'rotate'>[],
  ignored: ReadonlyMap<EntryHash, RuleName>,
): Map<ScopeId, LedgerEpoch[]> {
  const epochs = new Map<ScopeId, LedgerEpoch[]>()
  for (const { entry } of rotations) {
    const { scope, generation, sealed, check } = entry.fields
    const list = epochs.get(scope) ?? []
    const counts = !ignored.has(entry.hash)
    list.push({ id: entry.hash, scope, generation, check, by: entry.author, at: entry.at, sealed, counts })
    epochs.set(scope, list)
  }
  for (const list of epochs.values()) list.sort(newestFirst)
  return epochs
}

function newestFirst(a: LedgerEpoch, b: LedgerEpoch): number {
  return b.generation - a.generation || (a.id < b.id ? -1 : 1)
}

function shareOf({ entry }: NodeOf<'share'>): LedgerShare {
  const { scope, to, epochs, box } = entry.fields
  return { entry: entry.hash, scope, to, epochs: epochs.map((epoch) => asId<EntryHash>(toHex(epoch))), box }
}
