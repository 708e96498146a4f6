import { asId, type DeviceId, type EntryHash } from './base/index.ts'
import type { LedgerEpoch, LedgerShare, LedgerState } from './identity/index.ts'
import type { WritingEnd } from './sync/index.ts'

type Epoch = Pick<LedgerEpoch, 'id' | 'scope' | 'generation' | 'at' | 'sealed' | 'counts'>

/**
 * Since when a device may not write in a scope, by the keys the ledger knows, newest first: since the first
 * one was heard of here that was made by somebody who knew the device, and was given to it neither then nor
 * later. Of two that were made at the same time the one without it tells: another may have been made by who
 * had not heard, or by its friend. A device that came after that key asks when it was made, where
 * others who stay held it: these could tell all the time since what they have of that device, and one that
 * is new opens no door that was shut.
 * @returns undefined while no such key is known
 */
export function writingEndOf(
  device: DeviceId,
  known: {
    readonly self: DeviceId
    readonly epochs: readonly Epoch[]
    /** Whether the device was given a key, when it was made or later. */
    readonly isGiven: (epoch: Epoch) => boolean
    /** Whether who made a key had seen that the device was let in. */
    readonly knewIt: (epoch: EntryHash) => boolean
    readonly receivedAt: (epoch: EntryHash) => number | undefined
    readonly mayWrite: (device: DeviceId) => boolean
  },
): WritingEnd | undefined {
  const { self, isGiven, knewIt, receivedAt, mayWrite } = known
  const epochs = known.epochs.filter(({ counts }) => counts)
  const last = epochs.find(isGiven)?.generation ?? 0
  const end = epochs.filter((epoch) => epoch.generation >= last && !isGiven(epoch) && knewIt(epoch.id)).at(-1)
  const heardAt = end && receivedAt(end.id)
  if (end === undefined || heardAt === undefined) return undefined
  const others = end.sealed.filter(({ to }) => to !== self && !to.startsWith('recovery:'))
  const isAlone = !others.some(({ to }) => mayWrite(asId<DeviceId>(to)))
  return { at: isAlone || isSealedTo(end, self) ? heardAt : Math.min(heardAt, end.at), isAlone }
}

/** True when a key was given to a device, when it was made or later: it could write with it. */
export function isKeyGiven(
  device: DeviceId,
  epoch: Pick<Epoch, 'id' | 'scope' | 'sealed'>,
  state: Pick<LedgerState, 'shares'>,
): boolean {
  return isSealedTo(epoch, device) || sharedKeys(state).get(placeOf(epoch.scope, device))?.has(epoch.id) === true
}

function isSealedTo({ sealed }: Pick<LedgerEpoch, 'sealed'>, device: DeviceId): boolean {
  return sealed.some(({ to }) => to === device)
}

const placeOf = (scope: LedgerShare['scope'], to: LedgerShare['to']): string => `${scope}/${to}`

/** Asked for each envelope of an author who may not write any more: made once of each state of the ledger. */
const shared = new WeakMap<readonly LedgerShare[], ReadonlyMap<string, ReadonlySet<EntryHash>>>()

function sharedKeys({ shares }: Pick<LedgerState, 'shares'>): ReadonlyMap<string, ReadonlySet<EntryHash>> {
  const made = shared.get(shares)
  if (made !== undefined) return made
  const keys = new Map<string, Set<EntryHash>>()
  for (const { scope, to, epochs } of shares) {
    const place = placeOf(scope, to)
    const ofPlace = keys.get(place) ?? new Set<EntryHash>()
    keys.set(place, ofPlace)
    for (const epoch of epochs) ofPlace.add(epoch)
  }
  shared.set(shares, keys)
  return keys
}
