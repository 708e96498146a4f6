import type { DeviceId, EntryHash, PersonId } from '../../base/index.ts'
import { audienceOf } from './audience.ts'
import type { Recipient } from './entry.ts'
import type { Ledger } from './ledger-types.ts'
import { scopeOf, type ScopeId } from './scope.ts'
import type { LedgerEpoch, LedgerState } from './state.ts'

/** Which keys of a scope are where they should be, and which are not. */
export interface KeyHolding {
  /** Everyone the scope's key may be sealed to now, with the X25519 key to seal with. */
  readonly recipients: ReadonlyMap<Recipient, Uint8Array>
  /** All epochs, newest first. */
  readonly epochs: readonly LedgerEpoch[]
  /** Everyone who was ever given it, at its making or later. */
  givenTo(epoch: LedgerEpoch): readonly Recipient[]
  /** True when nobody holds it who may not, and everybody who lacks it may be given it: to write with. */
  isUsable(epoch: LedgerEpoch): boolean
  /** Epochs a recipient may have and was not given, newest first. */
  lackedBy(recipient: Recipient): readonly LedgerEpoch[]
  /** Epochs a recipient may have and was given, as the ledger says: whether the box opened is known to it alone. */
  dueTo(recipient: Recipient): readonly LedgerEpoch[]
  /** The entries by which a recipient was given one of these epochs: of that one which it was given most often. */
  sharesOf(recipient: Recipient, epochs: readonly LedgerEpoch[]): readonly EntryHash[]
}

/** The recovery key of a person as a recipient. */
export function recoveryRecipient(person: PersonId): Recipient {
  return `recovery:${person}`
}

/** Looks at the keys of one scope. */
export function holdingOf(ledger: Pick<Ledger, 'state' | 'saw'>, scope: ScopeId): KeyHolding {
  const state = ledger.state()
  const recipients = recipientsOf(state, scope)
  const epochs = state.epochs.get(scope) ?? []
  const given = givenIn(state, scope)

  /** Was it sealed to the recipient's present key? */
  const holds = (recipient: Recipient, epoch: LedgerEpoch): boolean => {
    const key = keyEntryOf(state, recipient)
    return key !== undefined && (given.get(epoch.id)?.get(recipient) ?? []).some((by) => ledger.saw(by, key))
  }

  const mayHave = (recipient: Recipient, epoch: LedgerEpoch): boolean => {
    const parts = scopeOf(scope)
    const room = parts.kind === 'room' ? state.rooms.get(parts.room) : undefined
    if (room?.history !== 'joining') return true
    const person = personOf(state, recipient)
    // made by somebody who had seen the person come
    return person !== undefined && (room.joinedBy.get(person) ?? []).some((joined) => ledger.saw(epoch.id, joined))
  }

  const isOutside = (recipient: Recipient, epoch: LedgerEpoch): boolean => {
    if (!recipients.has(recipient)) return true
    // a recovery key that was replaced may be in anybody's hands
    return isRecovery(recipient) && !holds(recipient, epoch)
  }

  const givenTo = (epoch: LedgerEpoch): readonly Recipient[] => [...(given.get(epoch.id)?.keys() ?? [])]

  return {
    recipients,
    epochs,
    givenTo,
    isUsable(epoch) {
      if (!epoch.counts) return false
      if (givenTo(epoch).some((recipient) => isOutside(recipient, epoch))) return false
      return [...recipients.keys()].every((recipient) => holds(recipient, epoch) || mayHave(recipient, epoch))
    },
    dueTo: (recipient) =>
      recipients.has(recipient) ? epochs.filter((epoch) => holds(recipient, epoch) && mayHave(recipient, epoch)) : [],
    sharesOf: (recipient, of) => {
      const [most = []] = of
        .map((epoch) => given.get(epoch.id)?.get(recipient) ?? [])
        .sort((a, b) => b.length - a.length)
      return most
    },
    lackedBy: (recipient) =>
      recipients.has(recipient) ? epochs.filter((epoch) => !holds(recipient, epoch) && mayHave(recipient, epoch)) : [],
  }
}

type Given = ReadonlyMap<EntryHash, ReadonlyMap<Recipient, readonly EntryHash[]>>

/** By which entries each recipient was given each epoch. */
function givenIn(state: LedgerState, scope: ScopeId): Given {
  const given = new Map<EntryHash, Map<Recipient, EntryHash[]>>()
  const note = (epoch: EntryHash, recipient: Recipient, by: EntryHash): void => {
    const recipients = given.get(epoch) ?? new Map<Recipient, EntryHash[]>()
    recipients.set(recipient, [...(recipients.get(recipient) ?? []), by])
    given.set(epoch, recipients)
  }
  for (const epoch of state.epochs.get(scope) ?? []) for (const { to } of epoch.sealed) note(epoch.id, to, epoch.id)
  for (const share of state.shares) {
    if (share.scope === scope) for (const epoch of share.epochs) note(epoch, share.to, share.entry)
  }
  return given
}

function recipientsOf(state: LedgerState, scope: ScopeId): Map<Recipient, Uint8Array> {
  const audience = audienceOf(state, scope)
  const recipients = new Map<Recipient, Uint8Array>()
  for (const id of audience.devices) {
    const device = state.devices.get(id)
    if (device !== undefined) recipients.set(id, device.sealingKey)
  }
  for (const person of audience.recoveries) {
    const recovery = state.recoveries.get(person)
    if (recovery !== undefined) recipients.set(recoveryRecipient(person), recovery.seal)
  }
  return recipients
}

function isRecovery(recipient: Recipient): boolean {
  return recipient.startsWith('recovery:')
}

/** The entry that told the recipient's present key: who wrote after it knew that key. */
function keyEntryOf(state: LedgerState, recipient: Recipient): EntryHash | undefined {
  return isRecovery(recipient)
    ? state.recoveries.get(recipient.slice('recovery:'.length) as PersonId)?.entry
    : state.devices.get(recipient as DeviceId)?.certifiedBy
}

function personOf(state: LedgerState, recipient: Recipient): PersonId | undefined {
  return isRecovery(recipient)
    ? (recipient.slice('recovery:'.length) as PersonId)
    : state.devices.get(recipient as DeviceId)?.person
}
