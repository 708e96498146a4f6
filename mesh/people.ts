import { MeshError, type Clock, type DeviceId, type EntryHash, type PersonId } from './base/index.ts'
import {
  authorize,
  checkLedger,
  cleanName,
  isOver,
  scopeOf,
  type LedgerEntry,
  type LedgerPerson,
  type LedgerState,
  type Membership,
} from './identity/index.ts'
import { sentenceOf } from './ledger-sentences.ts'
import type { InvitationLine, KeyLine, LedgerLine, MeshPeople, PersonView, RemovalProgress } from './people-types.ts'

/** How long a removal is shown as under way or just done, in ms. */
const REMOVALS_SHOWN_MS = 24 * 60 * 60_000

interface PeoplePorts {
  readonly membership: Membership
  readonly clock: Clock
  /** Devices that told that they have an entry. */
  readonly toldBy: (entry: EntryHash) => number
  /** Looks after the keys now. */
  readonly maintainKeys: (options?: { readonly signal?: AbortSignal | undefined }) => Promise<void>
}

/** People, rights, invitations, keys and the ledger of the mesh this device is in. */
export function createPeople(ports: PeoplePorts): MeshPeople {
  const { membership, clock } = ports

  const own = (): PersonId | undefined => membership.state().devices.get(membership.self)?.person
  const subject = (): ReturnType<Membership['subject']> => membership.subject(membership.self)
  const objectFor = (person: PersonId): 'own-person' | 'other-person' =>
    person === own() ? 'own-person' : 'other-person'

  const personOf = (id: string): LedgerPerson => {
    const person = [...membership.state().people.values()].find((one) => one.id === id && one.removedAt === null)
    if (person === undefined) throw new MeshError('device-unknown', 'There is no such person in this mesh.')
    return person
  }

  const viewOf = (state: LedgerState, person: LedgerPerson): PersonView => ({
    id: person.id,
    name: person.name,
    role: person.role,
    own: person.id === own(),
    devices: [...state.devices.values()]
      .filter((device) => device.person === person.id && device.removedAt === null)
      .map((device) => device.id),
    addedAt: person.addedAt,
    removedAt: person.removedAt,
    roleChangeable: authorize(subject(), 'role', objectFor(person.id)).allowed,
    removable: person.id !== own() && authorize(subject(), 'revoke', 'other-person').allowed,
  })

  const nameOf = (state: LedgerState, device: DeviceId): string => state.devices.get(device)?.name ?? 'Unnamed device'

  const lineOf = (state: LedgerState, entry: LedgerEntry): LedgerLine => ({
    hash: entry.hash,
    type: entry.fields.type,
    by: entry.author,
    byName: nameOf(state, entry.author),
    at: entry.at,
    sentence: sentenceOf(entry, state),
    counts: !state.ignored.has(entry.hash),
    ignoredBy: state.ignored.get(entry.hash),
  })

  const removalOf = (state: LedgerState, entry: LedgerEntry, device: DeviceId): RemovalProgress => {
    const ledger = membership.ledger()
    const renewed = (state.epochs.get('mesh') ?? []).findLast((epoch) => ledger.saw(epoch.id, entry.hash))
    return {
      device,
      name: nameOf(state, device),
      removedAt: entry.at,
      removedBy: entry.author,
      generation: renewed?.generation,
      told: ports.toldBy(entry.hash),
      of: membership.members().filter((one) => one.removedAt === null && one.id !== membership.self).length,
    }
  }

  return {
    people() {
      const state = membership.state()
      return [...state.people.values()]
        .filter((person) => person.removedAt === null)
        .map((person) => viewOf(state, person))
        .sort((a, b) => Number(b.own) - Number(a.own) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1))
    },
    async setRole(id, role, options = {}) {
      const person = personOf(id)
      if (person.role === role) return
      await membership.ledger().append({ type: 'role', person: person.id, role }, options)
      await ports.maintainKeys(options)
    },
    async renamePerson(id, name, options = {}) {
      const cleaned = cleanName(name)
      if (cleaned === '') throw new MeshError('usage', 'A name needs at least one visible character.')
      await membership.ledger().append({ type: 'rename', person: personOf(id).id, name: cleaned }, options)
    },
    async removePerson(id, options = {}) {
      const person = personOf(id)
      if (person.id === own())
        throw new MeshError('usage', 'This device belongs to that person. Remove it from a device of somebody else.')
      await membership.ledger().append({ type: 'revoke', person: person.id }, options)
      await ports.maintainKeys(options)
    },
    ledger() {
      const state = membership.state()
      return membership
        .ledger()
        .entries()
        .map((entry) => lineOf(state, entry))
    },
    async verifyLedger(options = {}) {
      const ledger = membership.ledger()
      const { signatures, faults } = await checkLedger(ledger, options)
      return { entries: ledger.entries().length, signatures, checkedAt: clock.now(), faults }
    },
    invitations() {
      const ledger = membership.ledger()
      const state = ledger.state()
      return [...state.invitations.values()].map((one): InvitationLine => {
        const isExpired = isOver(one, { now: clock.now(), seenAt: ledger.receivedAt(one.entry) })
        const isMine = one.madeByPerson === own()
        return {
          id: one.id,
          madeBy: one.madeBy,
          madeByName: nameOf(state, one.madeBy),
          person: one.personName ?? '',
          role: one.role,
          confirmation: one.confirmation,
          createdAt: one.expiresAt - one.lifetimeMs,
          expiresAt: one.expiresAt,
          state: one.state === 'open' && isExpired ? 'expired' : one.state,
          usedBy: one.usedBy ?? undefined,
          revocable:
            one.state === 'open' &&
            !isExpired &&
            authorize(subject(), 'invite-revoked', isMine ? 'own' : 'other').allowed,
        }
      })
    },
    async revokeInvitation(id, options = {}) {
      if (membership.state().invitations.get(id)?.state !== 'open')
        throw new MeshError('invitation-unknown', 'There is no such open invitation.')
      await membership.ledger().append({ type: 'invite-revoked', id }, options)
    },
    keys() {
      return [...membership.state().epochs].flatMap(([id, epochs]): KeyLine[] => {
        const [newest] = epochs
        if (newest === undefined) return []
        const scope = scopeOf(id)
        return [
          {
            scope: scope.kind,
            room: scope.kind === 'room' ? scope.room : undefined,
            generation: newest.generation,
            changedAt: newest.at,
            changedBy: newest.by,
            holders: newest.sealed.length,
          },
        ]
      })
    },
    removals() {
      const state = membership.state()
      const since = clock.now() - REMOVALS_SHOWN_MS
      const found: RemovalProgress[] = []
      for (const entry of membership.ledger().entries()) {
        const { fields } = entry
        if (fields.type !== 'revoke' || entry.at < since || state.ignored.has(entry.hash)) continue
        for (const device of state.devices.values()) {
          if (device.id === fields.device || device.person === fields.person)
            found.push(removalOf(state, entry, device.id))
        }
      }
      return found.reverse()
    },
  }
}
