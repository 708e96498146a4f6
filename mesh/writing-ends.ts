import { admissionsOf, couldEverWrite, joinsOf, type Joining } from './admissions.ts'
import type { DeviceId, EntryHash } from './base/index.ts'
import {
  scopeOf,
  type Ledger,
  type LedgerEpoch,
  type LedgerShare,
  type LedgerState,
  type ScopeId,
} from './identity/index.ts'
import type { WritingEnd } from './sync/index.ts'
import { lossesOf } from './writing-losses.ts'

type Known = Pick<Ledger, 'state' | 'entries' | 'entry' | 'saw' | 'receivedAt'>
type Epoch = Pick<LedgerEpoch, 'id' | 'generation' | 'at' | 'counts'>

/** An entry by which a device may not write any more. */
interface Loss {
  readonly id: EntryHash
  /** By the clock of who made it. */
  readonly at: number
}

/** Whose end in what is asked, and by whom. */
interface Asked {
  readonly device: DeviceId
  readonly scope: ScopeId
  readonly self: DeviceId
  /** By the same state of the ledger: the answer is kept as long as that is. */
  readonly mayWrite: (device: DeviceId) => boolean
}

/** {@link writingEndOf} by what a ledger says. */
export function writingEndIn(ledger: Known, asked: Asked): WritingEnd | undefined {
  const { ends } = keptOf(ledger.state())
  const place = `${asked.scope}/${asked.device}/${asked.self}`
  const known = ends.get(place)
  if (known !== undefined) return known.end
  const end = firstEnd(endsOf(ledger, asked))
  ends.set(place, { end })
  return end
}

/**
 * The ends of a device, of which the first counts: its own, or, where nothing of what let it in counts any more
 * because who let it in was removed at the same time, those of that one. Else who holds a stolen device lets in
 * another before it hears of its removal, or brings somebody into a room, and that one writes for ever.
 */
function endsOf(ledger: Known, asked: Asked): (WritingEnd | undefined)[] {
  const { device, scope } = asked
  if (admissionsOf(device, ledger).length === 0) return []
  const ends: (WritingEnd | undefined)[] = []
  // each once: of those that let each other in there may be very many ways back
  const all = new Set([device])
  for (const one of all) {
    const losses = lossesOf(one, scope, ledger)
    const lost = comingsOf(one, scope, ledger).filter(({ counts }) => !counts)
    const hosts = hostsOf(lost).filter((host) => isLost(host, scope, ledger))
    if (hosts.length === 0 || losses.length > 0) ends.push(ownEnd(ledger, { ...asked, device: one }))
    for (const host of hosts) all.add(host)
  }
  return ends.length > 0 ? ends : [ownEnd(ledger, asked)]
}

function ownEnd(ledger: Known, { device, scope, self, mayWrite }: Asked): WritingEnd | undefined {
  const { devices, epochs } = ledger.state()
  const given = givenKeys(device, scope, ledger)
  const comings = comingsOf(device, scope, ledger)
  const losses = lossesOf(device, scope, ledger)
  // another coming counts, of several at once: since this one was heard of nobody took the device for let in by it
  const lost = comings.flatMap(({ counts, entry }) => (counts ? [] : (ledger.entry(entry) ?? [])))
  const admissions = counting(admissionsOf(device, ledger))
  return writingEndOf({
    epochs: epochs.get(scope) ?? [],
    losses: (losses.length > 0 ? losses : lost).map(({ hash, at }) => ({ id: hash, at })),
    isGiven: (epoch) => given.has(epoch),
    knewIt: (epoch) => admissions.some(({ entry }) => ledger.saw(epoch, entry)),
    isNew: (entry) => !wasThere(self, entry, scope, ledger),
    receivedAt: (entry) => ledger.receivedAt(entry),
    isAlone: (entries) =>
      ![...devices.keys()].some(
        (one) => one !== self && mayWrite(one) && entries.every((entry) => wasThere(one, entry, scope, ledger)),
      ),
  })
}

/** What opened a scope to a device: those that count, or all where none does any more. */
function comingsOf(device: DeviceId, scope: ScopeId, ledger: Known): readonly Joining[] {
  const admissions = admissionsOf(device, ledger)
  const person = ledger.state().devices.get(device)?.person
  const parts = scopeOf(scope)
  if (parts.kind === 'person') return counting(admissions.filter((admission) => admission.person === parts.person))
  return counting(parts.kind === 'room' && person !== undefined ? joinsOf(person, scope, ledger) : admissions)
}

function counting<Coming extends Joining>(comings: readonly Coming[]): readonly Coming[] {
  const some = comings.filter(({ counts }) => counts)
  return some.length > 0 ? some : comings
}

function hostsOf(comings: readonly Joining[]): DeviceId[] {
  return [...new Set(comings.flatMap(({ by }) => by))]
}

function isLost(device: DeviceId, scope: ScopeId, ledger: Known): boolean {
  return !ledger.state().devices.has(device) || lossesOf(device, scope, ledger).length > 0
}

function firstEnd(ends: readonly (WritingEnd | undefined)[]): WritingEnd | undefined {
  return ends.reduce(
    (first, end) => (first === undefined || (end !== undefined && end.at < first.at) ? end : first),
    undefined,
  )
}

/**
 * Whether a device had come when an entry was made, as its admission tells, and that into the room: what it says
 * itself, not what the entry says to have seen, for whoever makes one can say that it saw nobody, or seal a
 * key to itself alone. Where it was let in more than once any time does: nobody makes it a newcomer.
 */
function wasThere(device: DeviceId, entry: EntryHash, scope: ScopeId, ledger: Known): boolean {
  const person = ledger.state().devices.get(device)?.person
  if (person === undefined) return false
  const isBefore = (coming: Joining): boolean => coming.counts && !ledger.saw(coming.entry, entry)
  if (!admissionsOf(device, ledger).some(isBefore)) return false
  return scopeOf(scope).kind !== 'room' || joinsOf(person, scope, ledger).some(isBefore)
}

/**
 * Since when a device may not write in a scope: since both its loss of the right was heard of here, and a key
 * that was made by somebody who knew the device and was given to it neither then nor later. Such a key alone
 * ends nothing: a member can make one for itself while the device belongs, and the days of what it wrote
 * would be over before it is removed. Of several keys and losses the first of each counts, so that nobody
 * puts the end off. Of two keys that were made at the same time the one without it tells: another may have
 * been made by who had not heard, or by its friend. A device that came later asks when they were made, where
 * others who stay were there before: these could tell all the time since what they have of that device, and
 * one that is new opens no door that was shut.
 * @returns undefined while no such key is known
 */
export function writingEndOf(known: {
  /** Newest first. */
  readonly epochs: readonly Epoch[]
  readonly losses: readonly Loss[]
  /** Whether the device was given a key, when it was made or later. */
  readonly isGiven: (epoch: EntryHash) => boolean
  /** Whether who made a key had seen that the device was let in. */
  readonly knewIt: (epoch: EntryHash) => boolean
  /** Whether this device came only after an entry. */
  readonly isNew: (entry: EntryHash) => boolean
  readonly receivedAt: (entry: EntryHash) => number | undefined
  /** Whether nobody else who may write was there before all of these. */
  readonly isAlone: (entries: readonly EntryHash[]) => boolean
}): WritingEnd | undefined {
  const { losses, isGiven, knewIt } = known
  const epochs = known.epochs.filter(({ counts }) => counts)
  const last = epochs.find(({ id }) => isGiven(id))?.generation ?? 0
  const keys = epochs.filter(({ id, generation }) => generation >= last && !isGiven(id) && knewIt(id))
  if (keys.length === 0) return undefined
  const isAlone = known.isAlone((losses.length > 0 ? losses : keys).map(({ id }) => id))
  const firstOf = (all: readonly { readonly id: EntryHash; readonly at: number }[]): number | undefined => {
    const times = all.flatMap(({ id, at }) => {
      const heardAt = known.receivedAt(id)
      if (heardAt === undefined) return []
      return isAlone || !known.isNew(id) ? heardAt : Math.min(heardAt, at)
    })
    return times.length === 0 ? undefined : times.reduce((first, time) => Math.min(first, time))
  }
  const keyAt = firstOf(keys)
  return keyAt === undefined ? undefined : { at: Math.max(keyAt, firstOf(losses) ?? keyAt), isAlone }
}

/**
 * The keys of a scope that a device could write with: those it was given, when they were made or later. Who makes
 * a key says to whom it gives it, and may say so of devices that it made up: given it is only to one that was at
 * some time let in and might write there. Where its admission came to nothing, who gave it had to have seen that.
 */
export function givenKeys(device: DeviceId, scope: ScopeId, ledger: Known): ReadonlySet<EntryHash> {
  const { given } = keptOf(ledger.state())
  const place = placeOf(scope, device)
  const keys = given.get(place) ?? lookUpKeys(device, scope, ledger)
  given.set(place, keys)
  return keys
}

function lookUpKeys(device: DeviceId, scope: ScopeId, ledger: Known): ReadonlySet<EntryHash> {
  const keys = new Set<EntryHash>()
  if (!couldEverWrite(device, scope, ledger)) return keys
  const state = ledger.state()
  const admissions = admissionsOf(device, ledger)
  // of many heads an entry links some: of a device that belongs or did it is not held against what was given
  const counts = admissions.some((admission) => admission.counts)
  const isKnownTo = (giver: EntryHash): boolean => counts || admissions.some(({ entry }) => ledger.saw(giver, entry))
  const shares = sharesOf(state).get(placeOf(scope, device))
  for (const { id, sealed } of state.epochs.get(scope) ?? []) {
    const makers = sealed.some(({ to }) => to === device) ? [id] : []
    if ([...makers, ...(shares?.get(id) ?? [])].some(isKnownTo)) keys.add(id)
  }
  return keys
}

const placeOf = (scope: LedgerShare['scope'], to: LedgerShare['to']): string => `${scope}/${to}`

/** By scope and recipient the entries that gave each key. */
type Shares = ReadonlyMap<string, ReadonlyMap<EntryHash, readonly EntryHash[]>>

/** Asked for each envelope of an author who may not write any more: found out once for each state of the ledger. */
interface Kept {
  readonly ends: Map<string, { readonly end: WritingEnd | undefined }>
  readonly given: Map<string, ReadonlySet<EntryHash>>
  shares?: Shares
}

const byState = new WeakMap<LedgerState, Kept>()

function keptOf(state: LedgerState): Kept {
  const known = byState.get(state) ?? { ends: new Map(), given: new Map() }
  byState.set(state, known)
  return known
}

function sharesOf(state: LedgerState): Shares {
  const kept = keptOf(state)
  kept.shares ??= makeShares(state)
  return kept.shares
}

function makeShares({ shares }: LedgerState): Shares {
  const all = new Map<string, Map<EntryHash, EntryHash[]>>()
  for (const { scope, to, epochs, entry } of shares) {
    const place = placeOf(scope, to)
    const ofPlace = all.get(place) ?? new Map<EntryHash, EntryHash[]>()
    all.set(place, ofPlace)
    for (const epoch of epochs) {
      const by = ofPlace.get(epoch)
      if (by === undefined) ofPlace.set(epoch, [entry])
      else by.push(entry)
    }
  }
  return all
}
