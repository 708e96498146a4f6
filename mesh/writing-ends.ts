import { asId, type DeviceId, type EntryHash } from './base/index.ts'
import type { Ledger, LedgerEpoch, LedgerShare, LedgerState, ScopeId } from './identity/index.ts'
import type { WritingEnd } from './sync/index.ts'
import { lossesOf } from './writing-losses.ts'

type Epoch = Pick<LedgerEpoch, 'id' | 'scope' | 'generation' | 'by' | 'at' | 'sealed' | 'counts'>

/** An entry by which a device may not write any more. */
interface Loss {
  readonly id: EntryHash
  /** By the clock of who made it. */
  readonly at: number
}

/** {@link writingEndOf} by what a ledger says. */
export function writingEndIn(
  ledger: Pick<Ledger, 'state' | 'entries' | 'saw' | 'receivedAt'>,
  of: {
    readonly device: DeviceId
    readonly scope: ScopeId
    readonly self: DeviceId
    readonly mayWrite: (device: DeviceId) => boolean
  },
): WritingEnd | undefined {
  const { device, scope, self } = of
  const state = ledger.state()
  const knows = (entry: EntryHash, one: DeviceId): boolean => {
    const admission = state.devices.get(one)?.admission
    return admission !== undefined && ledger.saw(entry, admission)
  }
  return writingEndOf(device, {
    self,
    epochs: state.epochs.get(scope) ?? [],
    losses: lossesOf(device, scope, ledger).map(({ hash, at }) => ({ id: hash, at })),
    isGiven: (epoch) => isKeyGiven(device, epoch, state),
    knewIt: (epoch) => knows(epoch, device),
    knewSelf: (loss) => knows(loss, self),
    saw: (epoch, loss) => ledger.saw(epoch, loss),
    receivedAt: (entry) => ledger.receivedAt(entry),
    mayWrite: of.mayWrite,
  })
}

/**
 * Since when a device may not write in a scope: since both its loss of the right was heard of here, and a key
 * that was made by somebody who knew the device and was given to it neither then nor later. Such a key alone
 * ends nothing: a member can make one for itself while the device belongs, and the days of what it wrote
 * would be over before it is removed. Of several keys and losses the first of each counts, so that nobody
 * puts the end off. Of two keys that were made at the same time the one without it tells: another may have
 * been made by who had not heard, or by its friend. A device that came later asks when they were made, where
 * others who stay held the key: these could tell all the time since what they have of that device, and one
 * that is new opens no door that was shut.
 * @returns undefined while no such key is known
 */
export function writingEndOf(
  device: DeviceId,
  known: {
    readonly self: DeviceId
    readonly epochs: readonly Epoch[]
    readonly losses: readonly Loss[]
    /** Whether the device was given a key, when it was made or later. */
    readonly isGiven: (epoch: Epoch) => boolean
    /** Whether who made a key had seen that the device was let in. */
    readonly knewIt: (epoch: EntryHash) => boolean
    /** Whether who made a loss had seen that this device was let in. */
    readonly knewSelf: (loss: EntryHash) => boolean
    readonly saw: (epoch: EntryHash, loss: EntryHash) => boolean
    readonly receivedAt: (entry: EntryHash) => number | undefined
    readonly mayWrite: (device: DeviceId) => boolean
  },
): WritingEnd | undefined {
  const { self, losses, isGiven, knewIt, knewSelf, saw } = known
  const epochs = known.epochs.filter(({ counts }) => counts)
  const last = epochs.find(isGiven)?.generation ?? 0
  const keys = epochs.filter((epoch) => epoch.generation >= last && !isGiven(epoch) && knewIt(epoch.id))
  const end = keys.findLast(({ id }) => losses.some((loss) => saw(id, loss.id))) ?? keys.at(-1)
  if (end === undefined) return undefined
  const isAlone = !holdersOf(end).some((one) => one !== self && known.mayWrite(one))
  const firstOf = <One extends { readonly id: EntryHash; readonly at: number }>(
    all: readonly One[],
    wasThere: (one: One) => boolean,
  ): number | undefined => {
    const times = all.flatMap((one) => {
      const heardAt = known.receivedAt(one.id)
      if (heardAt === undefined) return []
      return isAlone || wasThere(one) ? heardAt : Math.min(heardAt, one.at)
    })
    return times.length === 0 ? undefined : times.reduce((first, time) => Math.min(first, time))
  }
  const keyAt = firstOf(keys, (epoch) => isSealedTo(epoch, self))
  const lossAt = firstOf(losses, ({ id }) => knewSelf(id))
  return keyAt === undefined ? undefined : { at: Math.max(keyAt, lossAt ?? keyAt), isAlone }
}

/** The devices that held a key when it was made: who made it, whatever it says, did. */
function holdersOf({ by, sealed }: Epoch): DeviceId[] {
  return [by, ...sealed.flatMap(({ to }) => (to.startsWith('recovery:') ? [] : asId<DeviceId>(to)))]
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
