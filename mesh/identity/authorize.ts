import { ROLES, type Role } from './roles.ts'

/** Who asks: a device by the role of its person, one that was removed, or one nobody admitted. */
export type Subject = Role | 'removed' | 'stranger'

/** Every {@link Subject}, from the most to the least. */
export const SUBJECTS: readonly Subject[] = [...ROLES, 'removed', 'stranger']

const OWNER = ['owner'] as const
const READERS = ['owner', 'member'] as const
const SERVERS = ['owner', 'member', 'helper-only'] as const
const ASKERS = ['owner', 'member', 'guest'] as const
const ALL = ROLES
const NOBODY = [] as const

// what may be read and written: whose it is seen from the subject
const READ_SCOPES = {
  mesh: READERS,
  'own-person': READERS,
  'other-person': NOBODY,
  'own-room': READERS,
  'other-room': NOBODY,
} as const

/**
 * Who may do what to which: the one table every entry asks. Each cell names the roles
 * that may; whoever is not named may not. *own* is what belongs to the subject's
 * person, *self* the device itself, *own-room* a room the person is in.
 */
const TABLE = {
  /** Have an engine of that device answer. */
  ask: { 'own-device': ASKERS, 'other-device': ASKERS },
  /** Answer a question of that device. */
  answer: { 'own-device': SERVERS, 'other-device': SERVERS },
  /** Forward the sealed streams of that device, and say where it is seen from outside (STUN). */
  relay: { 'own-device': SERVERS, 'other-device': SERVERS },
  /** Be kept reachable, and be connected with others, by that device's relay. A guest dials by itself, and asks nobody but helpers. */
  'be-relayed': { 'own-device': SERVERS, 'other-device': SERVERS },
  /** Say where a device is, so that others dial it there. */
  hint: { self: SERVERS, 'other-device': SERVERS },
  /** Be told where a device is: one that could answer a question, or any other one. */
  locate: { 'answering-device': ALL, 'other-device': SERVERS },
  /** Say who waits to be let in: with a proven invitation, or with words that somebody has to type. */
  report: { join: READERS, knock: SERVERS },
  /** Give entries of the ledger to others. Whoever may write none and reads nothing has none that others lack. */
  'tell-ledger': { mesh: SERVERS },
  /** Let programs ask the mesh through that device's gateway; its own engine answers them in any case. */
  gateway: { 'own-device': READERS, 'other-device': NOBODY },
  /** Hear who belongs. */
  'read-ledger': { mesh: ALL },
  /** Open what is sealed to a scope. */
  read: READ_SCOPES,
  /** Write into a scope's documents. */
  write: READ_SCOPES,
  /** Keep and pass on a scope's sealed envelopes. */
  store: { mesh: SERVERS, 'own-person': SERVERS, 'other-person': SERVERS, 'own-room': SERVERS, 'other-room': SERVERS },

  // ledger entries, by type
  admit: { 'own-device': READERS, 'other-device': NOBODY, 'new-person': OWNER },
  /** Write down an admission whose right is an invitation's or a recovery key's. */
  'admit-proven': { 'own-invitation': READERS, 'other-invitation': READERS, recovery: READERS },
  certify: { self: SERVERS, 'other-device': NOBODY },
  revoke: {
    self: SERVERS,
    'own-device': READERS,
    'other-device': OWNER,
    'own-person': READERS,
    'other-person': OWNER,
  },
  role: { 'own-person': OWNER, 'other-person': OWNER },
  rename: {
    self: SERVERS,
    'own-device': READERS,
    'other-device': OWNER,
    'own-person': READERS,
    'other-person': OWNER,
    mesh: OWNER,
  },
  invite: {
    'own-device': READERS,
    'new-owner': OWNER,
    'new-member': OWNER,
    'new-helper-only': OWNER,
    'new-guest': OWNER,
    'other-person': NOBODY,
  },
  'invite-revoked': { own: READERS, other: OWNER },
  recovery: { 'own-person': READERS },
  rotate: READ_SCOPES,
  share: READ_SCOPES,
  room: { 'with-self': READERS, 'without-self': NOBODY },
  'room-add': { 'own-room': READERS, 'other-room': NOBODY },
  'room-leave': { 'own-room': READERS, 'other-room': NOBODY },
  /** Take somebody else out: whoever made the room, or an owner who is in it. */
  'room-remove': { 'made-room': READERS, 'own-room': OWNER, 'other-room': NOBODY },
} as const satisfies Record<string, Record<string, readonly Role[]>>

/** What may be asked for. */
export type Action = keyof typeof TABLE
/** What an action may be done to, seen from the subject. */
export type ObjectOf<Of extends Action> = keyof (typeof TABLE)[Of] & string

/** May it, and if not, why: `role` (not with this role), `not-yours` (with what is the subject's own it may). */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: 'not-admitted' | 'removed' | 'role' | 'not-yours' }

const ALLOWED: Verdict = { allowed: true }

/** The one place that says who may do what. Total: every subject, action and object has an answer. */
export function authorize<Of extends Action>(subject: Subject, action: Of, object: ObjectOf<Of>): Verdict {
  if (subject === 'stranger') return { allowed: false, reason: 'not-admitted' }
  if (subject === 'removed') return { allowed: false, reason: 'removed' }
  const objects: Readonly<Record<string, readonly Role[]>> = TABLE[action]
  if (objects[object]?.includes(subject) === true) return ALLOWED
  const withOwn = Object.values(objects).some((roles) => roles.includes(subject))
  return { allowed: false, reason: withOwn ? 'not-yours' : 'role' }
}

/** Every action with its objects, for tests and for the page that explains roles. */
export function everyAction(): readonly { readonly action: Action; readonly objects: readonly string[] }[] {
  return (Object.keys(TABLE) as Action[]).map((action) => ({ action, objects: Object.keys(TABLE[action]) }))
}
