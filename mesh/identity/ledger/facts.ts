import type { DeviceId, InvitationId, PersonId, RoomId } from '../../base/index.ts'
import { invitationIdOfKey, personIdOfInvitation } from './proofs.ts'
import type { GraphNode } from './graph.ts'
import { roomIdOf, type ScopeId } from './scope.ts'

/** What entries may be looked up by. */
export type FactKey =
  | `admission:${DeviceId}`
  | `device-of:${PersonId}`
  | `founding:${PersonId}`
  | `role:${PersonId}`
  | `removal:${DeviceId | PersonId}`
  | `invite:${InvitationId}`
  | `taken-back:${InvitationId}`
  | `use:${InvitationId}`
  | `recovery:${PersonId}`
  | `room:${RoomId}`
  | `room-people:${RoomId}`
  | `rotate:${ScopeId}`
  | `by:${DeviceId}`
  | 'decision'
  | 'admitted'
  | 'may-own'

/** Looks up entries by what they speak of, in the order of their places. */
export interface FactsOf {
  of(key: FactKey): readonly GraphNode[]
}

/** Entries by what they speak of. */
export interface Facts extends FactsOf {
  add(node: GraphNode): void
  /** Forgets these, which were added last. */
  remove(nodes: readonly GraphNode[]): void
}

const NONE: readonly GraphNode[] = []

/** An empty index. */
export function createFacts(): Facts {
  const lists = new Map<FactKey, GraphNode[]>()
  return {
    of: (key) => lists.get(key) ?? NONE,
    add(node) {
      for (const key of keysOf(node)) {
        const list = lists.get(key)
        if (list === undefined) lists.set(key, [node])
        else list.push(node)
      }
    },
    remove(nodes) {
      for (const node of nodes.toReversed()) for (const key of keysOf(node)) lists.get(key)?.pop()
    },
  }
}

/** The same facts, with every key noted that was looked up: what a judgement depends on. */
export function recorded(facts: FactsOf): FactsOf & { readonly keys: ReadonlySet<FactKey> } {
  const keys = new Set<FactKey>()
  return {
    keys,
    of(key) {
      keys.add(key)
      return facts.of(key)
    },
  }
}

/**
 * True for entries that take something from somebody: they are decided by seniority.
 * Everything else counts or not by what it saw and by these.
 */
export function isDecision(node: GraphNode): boolean {
  const { fields } = node.entry
  switch (fields.type) {
    case 'revoke':
    case 'role':
    case 'invite-revoked':
    // another key takes the one before from whoever holds it
    case 'recovery':
      return true
    case 'room-people':
      return fields.remove.length > 0
    default:
      return false
  }
}

/** True for what rights of other entries stand on, decisions aside. */
export function carriesRights(node: GraphNode): boolean {
  switch (node.entry.fields.type) {
    case 'create':
    case 'admit':
    case 'invite':
    case 'room':
      return true
    case 'room-people':
      return !isDecision(node)
    default:
      return false
  }
}

/** What an entry is found by: whoever asked for one of these depends on it. */
export function keysOf(node: GraphNode): FactKey[] {
  const keys = keysOfFields(node)
  keys.push(`by:${node.entry.author}`)
  if (isDecision(node)) keys.push('decision')
  return keys
}

function keysOfFields({ entry }: GraphNode): FactKey[] {
  const { fields, certificate, hash } = entry
  switch (fields.type) {
    case 'create':
      if (certificate === undefined) return []
      return [
        'admitted',
        'may-own',
        `admission:${certificate.device}`,
        `device-of:${fields.person.id}`,
        `founding:${fields.person.id}`,
      ]
    case 'admit': {
      if (certificate === undefined) return []
      const keys: FactKey[] = ['admitted', `admission:${certificate.device}`, `device-of:${fields.person}`]
      if (fields.invitation !== undefined) keys.push(`use:${invitationIdOfKey(fields.invitation.key)}`)
      // the id of a person says whether it is the one that an invitation brings
      const isInvited = fields.invitation !== undefined && fields.person === personIdOfInvitation(fields.invitation.key)
      if (fields.newPerson !== undefined || isInvited) keys.push(`founding:${fields.person}`)
      if (fields.newPerson?.role === 'owner' || isInvited) keys.push('may-own')
      return keys
    }
    case 'revoke':
      if (fields.device !== undefined) return [`removal:${fields.device}`]
      return fields.person === undefined ? [] : [`removal:${fields.person}`]
    case 'role':
      return fields.role === 'owner' ? ['may-own', `role:${fields.person}`] : [`role:${fields.person}`]
    case 'invite':
      return [`invite:${invitationIdOfKey(fields.key)}`]
    case 'invite-revoked':
      return [`taken-back:${fields.id}`]
    case 'recovery':
      return [`recovery:${fields.person}`]
    case 'room':
      return [`room:${roomIdOf(hash)}`]
    case 'room-people':
      return [`room-people:${fields.room}`]
    case 'rotate':
      return [`rotate:${fields.scope}`]
    case 'certify':
    case 'rename':
    case 'share':
    case 'unknown':
      return []
  }
}
