import { asId, type DeviceId, type EntryHash, type PersonId } from '../../base/index.ts'
import { toHex } from '../../wire/index.ts'
import { authorize, type Action, type ObjectOf } from '../authorize.ts'
import type { Role } from '../roles.ts'
import { certificateHash } from './certificate.ts'
import { isConsented, type FieldsOf, type LedgerEntry } from './entry.ts'
import type { FactsOf } from './facts.ts'
import type { GraphNode } from './graph.ts'
import { hasPlace } from './past.ts'
import { invitationIdOfKey } from './proofs.ts'
import { isSameKey } from './recovery.ts'
import type { RuleName } from './rule-names.ts'
import { scopeOf, type ScopeId } from './scope.ts'
import type { Standing, View } from './view.ts'

/** What an entry's right was found to stand on. */
export interface Judged {
  /** The rule it falls by; undefined: it counts. */
  readonly rule: RuleName | undefined
  /** The author's admission; undefined where the author brings itself back. */
  readonly admission: GraphNode | undefined
  readonly person: PersonId | undefined
  /** The role of that person as the entry saw it. */
  readonly role: Role | undefined
  /** True when the author came by the recovery key that is in force in what the entry saw. */
  readonly byRecovery: boolean
  /** Whose right it is besides the author's: the maker of the invitation. */
  readonly maker: { readonly device: DeviceId; readonly person: PersonId } | undefined
  /** True when it takes an owner's role, device or place. */
  readonly lowersOwner: boolean
  /**
   * Admissions it saw that it speaks against: the device agreed to this one, and was written
   * down as another person's without being asked. Known from the first judgement.
   */
  readonly overrides: ReadonlySet<GraphNode>
}

/** What an entry is judged by. */
export interface Trial {
  readonly node: GraphNode
  readonly view: View
  /** What the mesh would be with it: only asked for the first judgement. */
  readonly after: () => View
  readonly facts: FactsOf
  /**
   * The first judgement, by what the entry saw alone, also asks whether it makes sense
   * there: does its subject exist, is it new. Later ones ask only whether its right holds.
   */
  readonly isFirst: boolean
  /** In this mesh nobody is let in without a word of the device itself. */
  readonly needsConsent: boolean
  readonly judgedFirst: (node: GraphNode) => Judged
  readonly find: (hash: EntryHash) => GraphNode | undefined
  /** The highest generation of a scope among what it saw, void ones too; 0 for none. */
  readonly newestGeneration: (scope: ScopeId) => number
}

interface Author {
  readonly device: DeviceId
  readonly person: PersonId
  readonly role: { readonly seen: Role; readonly now: Role }
}

type Found = RuleName | undefined

/** Judges one entry: by the first rule that speaks against it, it falls. */
export function judge(trial: Trial): Judged {
  const { node } = trial
  const { fields } = node.entry
  if (fields.type === 'create') return judgeCreate(node, fields)
  if (fields.type === 'admit' && comesBackByItself(trial, fields)) return judgeReturn(trial, fields)

  const standing = trial.view.standingOf(node.entry.author)
  const role = standing === undefined ? undefined : trial.view.roleOf(standing.person)
  if (standing === undefined || role === undefined) return fallen(trial.isFirst ? 'not-admitted' : 'lost-support')
  const author = { device: node.entry.author, person: standing.person, role }
  const maker = fields.type === 'admit' ? makerOf(trial, fields) : undefined
  return {
    rule: standing.lost ?? named(trial, ruleAgainst(trial, author)),
    admission: standing.admission,
    person: standing.person,
    role: role.seen,
    byRecovery: isByRecovery(trial.view, standing),
    maker,
    lowersOwner: lowersOwner(trial, node.entry),
    overrides: overriddenBy(trial),
  }
}

/** What was allowed in what it saw and is no longer lost what allowed it. */
function named({ isFirst }: Trial, rule: Found): Found {
  return rule === 'not-allowed' && !isFirst ? 'lost-support' : rule
}

function ruleAgainst(trial: Trial, author: Author): Found {
  const { fields } = trial.node.entry
  switch (fields.type) {
    case 'admit':
      return admitRule(trial, author, fields)
    case 'certify':
      return allowed(author, 'certify', 'self')
    case 'revoke':
      return fields.device === undefined
        ? revokePersonRule(trial, author, fields)
        : revokeDeviceRule(trial, author, fields.device)
    case 'role':
      return roleRule(trial, author, fields)
    case 'rename':
      return renameRule(trial, author, fields)
    case 'invite':
      return inviteRule(trial, author, fields)
    case 'invite-revoked':
      return takeBackRule(trial, author, fields)
    case 'recovery':
      return fields.person === author.person ? allowed(author, 'recovery', 'own-person') : 'not-allowed'
    case 'rotate':
      return (
        allowed<'rotate'>(author, 'rotate', scopeObject(trial, author, fields.scope)) ?? generationRule(trial, fields)
      )
    case 'share':
      return allowed<'share'>(author, 'share', scopeObject(trial, author, fields.scope)) ?? epochsRule(trial, fields)
    case 'room':
      return roomRule(trial, author, fields)
    case 'room-people':
      return roomPeopleRule(trial, author, fields)
    case 'unknown':
      return 'unknown-type'
    case 'create':
      return 'not-allowed'
  }
}

/** The first entry stands by itself: its hash is the mesh. */
function judgeCreate(node: GraphNode, fields: FieldsOf<'create'>): Judged {
  return { ...fallen(undefined), admission: node, person: fields.person.id, role: 'owner' }
}

/** A recovery key may bring back a device with no other device's help, whoever claims it meanwhile. */
function comesBackByItself(trial: Trial, fields: FieldsOf<'admit'>): boolean {
  const { node, view } = trial
  if (fields.recovery === undefined || node.entry.certificate?.device !== node.entry.author) return false
  const standing = view.standingOf(node.entry.author)
  return standing === undefined || standing.lost !== undefined || isClaim(trial, standing)
}

function judgeReturn(trial: Trial, fields: FieldsOf<'admit'>): Judged {
  return { ...fallen(recoveryRule(trial, fields)), person: fields.person, overrides: overriddenBy(trial) }
}

/** Somebody wrote the device down, and it neither said that it comes nor went on from it. */
function isClaim({ node, view, facts, judgedFirst }: Trial, { admission }: Standing): boolean {
  if (isConsented(admission.entry)) return false
  const device = admission.entry.certificate?.device
  const said = device === undefined ? [] : facts.of(`by:${device}`)
  return !said.some(
    (one) =>
      one !== node && view.saw(one) && hasPlace(one.past, admission.place) && judgedFirst(one).rule === undefined,
  )
}

/** Also those that were removed: who claims a device removes it again, at more than one place. */
function overriddenBy(trial: Trial): ReadonlySet<GraphNode> {
  const { entry } = trial.node
  const { fields, certificate } = entry
  if (!trial.isFirst || fields.type !== 'admit' || certificate === undefined || !isConsented(entry)) return NONE
  const claims = trial.view
    .standingsOf(certificate.device)
    .filter((standing) => standing.person !== fields.person && isClaim(trial, standing))
  return claims.length === 0 ? NONE : new Set(claims.map(({ admission }) => admission))
}

function admitRule(trial: Trial, author: Author, fields: FieldsOf<'admit'>): Found {
  const device = trial.node.entry.certificate?.device
  if (device === undefined) return 'unknown-subject'
  if (trial.isFirst && isAlreadyThere(trial, device)) return 'already-there'
  const consent = consentRule(trial, fields, device)
  if (consent !== undefined) return consent
  if (fields.invitation !== undefined) return invitationRule(trial, author, fields, device)
  if (fields.recovery !== undefined) return allowed(author, 'admit-proven', 'recovery') ?? recoveryRule(trial, fields)
  if (fields.newPerson !== undefined) {
    if (trial.isFirst && trial.view.hasPerson(fields.person)) return 'already-there'
    return allowed(author, 'admit', 'new-person')
  }
  return allowed(author, 'admit', fields.person === author.person ? 'own-device' : 'other-device')
}

/** A claim keeps nobody out who comes by their own word. */
function isAlreadyThere(trial: Trial, device: DeviceId): boolean {
  const mayOverride = isConsented(trial.node.entry)
  return trial.view
    .standingsOf(device)
    .some((standing) => standing.lost === undefined && !(mayOverride && isClaim(trial, standing)))
}

/** A device comes only as what it agreed to; in a mesh that began earlier also without its word, as long as it says no other. */
function consentRule(trial: Trial, fields: FieldsOf<'admit'>, device: DeviceId): Found {
  const terms = fields.consent?.terms
  if (terms === undefined) return trial.needsConsent && !isConsented(trial.node.entry) ? 'no-consent' : undefined
  if (terms.by === 'recovery') return undefined
  if (terms.by === 'device')
    return trial.isFirst && isShownBefore(trial.view, device, fields) ? 'no-consent' : undefined
  const found = fields.invitation === undefined ? undefined : inviteOf(trial, fields)
  // what is not there is named as that
  if (found === undefined) return undefined
  const { entry, fields: invite } = found
  const person = typeof invite.person === 'string' ? '' : invite.person.name
  if (terms.by === 'words') return person === '' ? undefined : 'no-consent'
  const isAsShown =
    terms.inviter === entry.author &&
    terms.person === person &&
    terms.role === invite.role &&
    terms.confirmation === invite.confirmation
  return isAsShown ? undefined : 'no-consent'
}

/** The right is the maker's: what took it from the maker took it from the invitation. */
function invitationRule(trial: Trial, author: Author, fields: FieldsOf<'admit'>, device: DeviceId): Found {
  const { view } = trial
  const invite = inviteOf(trial, fields)?.fields
  const maker = makerOf(trial, fields)
  if (invite === undefined || maker === undefined) return trial.isFirst ? 'unknown-subject' : 'lost-support'
  const id = invitationIdOfKey(invite.key)
  const made = view.standingOf(maker.device)
  const makersRole = view.roleOf(maker.person)
  if (made === undefined || makersRole === undefined) return 'lost-support'
  if (fields.person !== (typeof invite.person === 'string' ? invite.person : invite.person.id)) return 'not-allowed'
  const lost = view.takenBack(id) ?? made.lost ?? view.personLost(fields.person)
  if (lost !== undefined) return lost === 'removed' ? 'invitation-not-open' : lost
  if (trial.isFirst && isUsedUp(trial, fields, device)) return 'invitation-not-open'
  const isOwn = maker.person === author.person
  if (invite.confirmation === 'pictures' && !isOwn) return 'not-allowed'
  return (
    allowed({ ...author, person: maker.person, role: makersRole }, 'invite', inviteObject(maker.person, invite)) ??
    allowed(author, 'admit-proven', isOwn ? 'own-invitation' : 'other-invitation')
  )
}

/** Used by another device, or by this one before it was removed: a removed device does not come back by it. */
function isUsedUp(trial: Trial, fields: FieldsOf<'admit'>, device: DeviceId): boolean {
  if (fields.invitation === undefined) return false
  const uses = trial.facts
    .of(`use:${invitationIdOfKey(fields.invitation.key)}`)
    .filter((use) => use !== trial.node && trial.view.inForce(use))
  if (uses.some((use) => use.entry.certificate?.device !== device)) return true
  return trial.view.standingsOf(device).some(({ lost, admission }) => lost !== undefined && uses.includes(admission))
}

function recoveryRule({ node, view }: Trial, fields: FieldsOf<'admit'>): Found {
  const lost = view.personLost(fields.person)
  if (lost !== undefined) return lost
  const key = view.recoveryOf(fields.person)?.entry.fields
  if (key?.type !== 'recovery' || key.keys === null || fields.recovery === undefined) return 'not-the-recovery-key'
  if (!isSameKey(key.keys.sign, fields.recovery.key)) return 'not-the-recovery-key'
  if (isShownBefore(view, node.entry.certificate?.device, fields)) return 'not-the-recovery-key'
  return view.recoveryReplaced(fields.person, fields.recovery.key) ? 'not-the-recovery-key' : undefined
}

/** Everybody can read a proof or a consent: it lets the device in once, not again after it was removed. */
function isShownBefore(view: View, device: DeviceId | undefined, { certificate }: FieldsOf<'admit'>): boolean {
  if (device === undefined) return false
  const hash = toHex(certificateHash(certificate))
  return view.standingsOf(device).some(({ lost, admission: { entry } }) => {
    if (lost === undefined || entry.fields.type !== 'admit') return false
    // what somebody wrote of it without asking spends nothing
    if (entry.fields.recovery === undefined && entry.fields.consent?.terms.by !== 'device') return false
    return toHex(certificateHash(entry.fields.certificate)) === hash
  })
}

function revokeDeviceRule(trial: Trial, author: Author, device: DeviceId): Found {
  const standings = trial.view.standingsOf(device)
  const [standing] = standings
  if (standing === undefined) return trial.isFirst ? 'unknown-subject' : 'lost-support'
  if (trial.isFirst && standings.every(({ lost }) => lost !== undefined)) return 'already-removed'
  const theirs = trial.view.standingOf(device)?.person ?? standing.person
  const object = theirs === author.person ? 'own-device' : 'other-device'
  return allowed(author, 'revoke', device === author.device ? 'self' : object) ?? ownerRule(trial)
}

function revokePersonRule(trial: Trial, author: Author, { person }: FieldsOf<'revoke'>): Found {
  if (person === undefined) return 'unknown-subject'
  return (
    personRule(trial, person) ??
    allowed(author, 'revoke', person === author.person ? 'own-person' : 'other-person') ??
    ownerRule(trial)
  )
}

function roleRule(trial: Trial, author: Author, { person }: FieldsOf<'role'>): Found {
  return (
    personRule(trial, person) ??
    allowed(author, 'role', person === author.person ? 'own-person' : 'other-person') ??
    ownerRule(trial)
  )
}

/** Is the person there, and not removed? */
function personRule(trial: Trial, person: PersonId): Found {
  if (!trial.isFirst) return undefined
  if (!trial.view.hasPerson(person)) return 'unknown-subject'
  return trial.view.personLost(person) === undefined ? undefined : 'already-removed'
}

/** A mesh keeps at least one owner. Seen from one entry; concurrent ones are weighed by seniority. */
function ownerRule(trial: Trial): Found {
  if (!trial.isFirst || !lowersOwner(trial, trial.node.entry)) return undefined
  return trial.after().hasOwner() ? undefined : 'keeps-an-owner'
}

function lowersOwner({ view }: Trial, { fields }: LedgerEntry): boolean {
  if (fields.type === 'role') return fields.role !== 'owner' && view.roleOf(fields.person)?.seen === 'owner'
  if (fields.type !== 'revoke') return false
  const person = fields.person ?? (fields.device === undefined ? undefined : view.standingOf(fields.device)?.person)
  return person !== undefined && view.roleOf(person)?.seen === 'owner'
}

function renameRule(trial: Trial, author: Author, fields: FieldsOf<'rename'>): Found {
  if (fields.person !== undefined) {
    const object = fields.person === author.person ? 'own-person' : 'other-person'
    return personRule(trial, fields.person) ?? allowed(author, 'rename', object)
  }
  if (fields.device === undefined) return allowed(author, 'rename', 'mesh')
  const theirs = trial.view.standingOf(fields.device)
  if (theirs === undefined) return trial.isFirst ? 'unknown-subject' : 'lost-support'
  const object = theirs.person === author.person ? 'own-device' : 'other-device'
  return allowed(author, 'rename', fields.device === author.device ? 'self' : object)
}

function inviteRule(trial: Trial, author: Author, fields: FieldsOf<'invite'>): Found {
  const id = invitationIdOfKey(fields.key)
  if (trial.isFirst && trial.view.inviteOf(id) !== undefined) return 'already-there'
  return allowed(author, 'invite', inviteObject(author.person, fields))
}

function inviteObject(maker: PersonId, fields: FieldsOf<'invite'>): ObjectOf<'invite'> {
  if (typeof fields.person !== 'string') return `new-${fields.role}`
  return fields.person === maker ? 'own-device' : 'other-person'
}

function takeBackRule(trial: Trial, author: Author, { id }: FieldsOf<'invite-revoked'>): Found {
  const invite = trial.view.inviteOf(id)
  if (invite === undefined) return trial.isFirst ? 'unknown-subject' : 'lost-support'
  if (trial.isFirst && trial.view.takenBack(id) !== undefined) return 'already-removed'
  const isOwn = trial.judgedFirst(invite).person === author.person
  return allowed(author, 'invite-revoked', isOwn ? 'own' : 'other')
}

function generationRule(trial: Trial, fields: FieldsOf<'rotate'>): Found {
  if (!trial.isFirst) return undefined
  return fields.generation === trial.newestGeneration(fields.scope) + 1 ? undefined : 'wrong-generation'
}

function epochsRule(trial: Trial, fields: FieldsOf<'share'>): Found {
  if (!trial.isFirst) return undefined
  const isKnown = (epoch: Uint8Array): boolean => {
    const node = trial.find(asId<EntryHash>(toHex(epoch)))
    if (node === undefined || !trial.view.saw(node) || trial.judgedFirst(node).rule !== undefined) return false
    return node.entry.fields.type === 'rotate' && node.entry.fields.scope === fields.scope
  }
  return fields.epochs.every(isKnown) ? undefined : 'unknown-subject'
}

function roomRule(trial: Trial, author: Author, fields: FieldsOf<'room'>): Found {
  for (const person of fields.people) {
    const rule = personRule(trial, person)
    if (rule !== undefined) return rule
  }
  return allowed(author, 'room', fields.people.includes(author.person) ? 'with-self' : 'without-self')
}

function roomPeopleRule(trial: Trial, author: Author, fields: FieldsOf<'room-people'>): Found {
  const room = trial.view.roomOf(fields.room)
  if (room === undefined) return trial.isFirst ? 'unknown-subject' : 'lost-support'
  for (const person of fields.add) {
    const rule = personRule(trial, person)
    if (rule !== undefined) return rule
  }
  const isIn = trial.view.keepsInRoom(author.person, fields.room).length > 0
  const others = fields.remove.filter((person) => person !== author.person)
  const madeIt = trial.judgedFirst(room).person === author.person
  const place = isIn ? 'own-room' : 'other-room'
  return (
    allowed(author, 'room-leave', place) ??
    (fields.add.length === 0 ? undefined : allowed(author, 'room-add', place)) ??
    (others.length === 0 ? undefined : allowed(author, 'room-remove', isIn && madeIt ? 'made-room' : place))
  )
}

function scopeObject(trial: Trial, author: Author, id: ScopeId): ObjectOf<'read'> {
  const scope = scopeOf(id)
  if (scope.kind === 'mesh') return 'mesh'
  if (scope.kind === 'person') return scope.person === author.person ? 'own-person' : 'other-person'
  return trial.view.keepsInRoom(author.person, scope.room).length > 0 ? 'own-room' : 'other-room'
}

/** Asks the one table, by the role that was seen and by the lower one given at the same time. */
function allowed<Of extends Action>(author: Author, action: Of, object: ObjectOf<Of>): Found {
  if (!authorize(author.role.seen, action, object).allowed) return 'not-allowed'
  return authorize(author.role.now, action, object).allowed ? undefined : 'demotion-first'
}

function inviteOf(
  { view }: Trial,
  fields: FieldsOf<'admit'>,
): { readonly entry: LedgerEntry; readonly fields: FieldsOf<'invite'> } | undefined {
  if (fields.invitation === undefined) return undefined
  const entry = view.inviteOf(invitationIdOfKey(fields.invitation.key))?.entry
  return entry?.fields.type === 'invite' ? { entry, fields: entry.fields } : undefined
}

function makerOf(trial: Trial, fields: FieldsOf<'admit'>): Judged['maker'] {
  if (fields.invitation === undefined) return undefined
  const invite = trial.view.inviteOf(invitationIdOfKey(fields.invitation.key))
  if (invite === undefined) return undefined
  const person = trial.judgedFirst(invite).person
  return person === undefined ? undefined : { device: invite.entry.author, person }
}

function fallen(rule: Found): Judged {
  return {
    rule,
    admission: undefined,
    person: undefined,
    role: undefined,
    byRecovery: false,
    maker: undefined,
    lowersOwner: false,
    overrides: NONE,
  }
}

const NONE: ReadonlySet<GraphNode> = new Set()

/** Did the device come by the recovery key of its person, and is that key still in force here? */
function isByRecovery(view: View, { admission, person }: Standing): boolean {
  const { fields } = admission.entry
  if (fields.type !== 'admit' || fields.recovery === undefined) return false
  const inForce = view.recoveryOf(person)?.entry.fields
  return inForce?.type === 'recovery' && inForce.keys !== null && isSameKey(inForce.keys.sign, fields.recovery.key)
}
