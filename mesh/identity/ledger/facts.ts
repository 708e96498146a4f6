import type { DeviceId, InvitationId, PersonId, RoomId } from '../../base/index.ts'
import { invitationIdOfKey } from './proofs.ts'
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
  | 'decision'
  | 'structure'
  | 'may-own'

/** Entries by what they speak of, in the order of their places. */
export interface Facts {
  of(key: FactKey): readonly GraphNode[]
  add(node: GraphNode): void
  truncate(size: number): void
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
    truncate(size) {
      for (const list of lists.values()) {
        while ((list.at(-1)?.place ?? -1) >= size) list.pop()
      }
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

function keysOf(node: GraphNode): FactKey[] {
  const keys = keysOfFields(node)
  if (isDecision(node)) keys.push('decision')
  return keys
}

// 'structure' marks what other entries' rights can depend on
function keysOfFields({ entry }: GraphNode): FactKey[] {
  const { fields, certificate, hash } = entry
  switch (fields.type) {
    case 'create':
      if (certificate === undefined) return []
      return [
        'structure',
        'may-own',
        `admission:${certificate.device}`,
        `device-of:${fields.person.id}`,
        `founding:${fields.person.id}`,
      ]
    case 'admit': {
      if (certificate === undefined) return []
      const keys: FactKey[] = ['structure', `admission:${certificate.device}`, `device-of:${fields.person}`]
      if (fields.invitation !== undefined) keys.push(`use:${invitationIdOfKey(fields.invitation.key)}`)
      if (fields.newPerson !== undefined || fields.invitation !== undefined) keys.push(`founding:${fields.person}`)
      if (fields.newPerson?.role === 'owner' || fields.invitation !== undefined) keys.push('may-own')
      return keys
    }
    case 'revoke':
      if (fields.device !== undefined) return ['structure', `removal:${fields.device}`]
      return fields.person === undefined ? [] : ['structure', `removal:${fields.person}`]
    case 'role':
      return fields.role === 'owner'
        ? ['structure', 'may-own', `role:${fields.person}`]
        : ['structure', `role:${fields.person}`]
    case 'invite':
      return ['structure', `invite:${invitationIdOfKey(fields.key)}`]
    case 'invite-revoked':
      return ['structure', `taken-back:${fields.id}`]
    case 'recovery':
      return ['structure', `recovery:${fields.person}`]
    case 'room':
      return ['structure', `room:${roomIdOf(hash)}`]
    case 'room-people':
      return ['structure', `room-people:${fields.room}`]
    case 'rotate':
      return [`rotate:${fields.scope}`]
    case 'certify':
    case 'rename':
    case 'share':
    case 'unknown':
      return []
  }
}
