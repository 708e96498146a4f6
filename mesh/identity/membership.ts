import { sha256 } from '@noble/hashes/sha2.js'
import {
  createEvents,
  MeshError,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type Store,
} from '../base/index.ts'
import { decode, encode, toHex } from '../wire/index.ts'
import type { DeviceKey } from './device-key.ts'
import { cleanName } from './names.ts'
import {
  activeEntry,
  openRoster,
  ROSTER_MAX_BYTES,
  signedRoster,
  signRoster,
  withEntry,
  type Roster,
  type RosterEntry,
  type SignedRoster,
} from './roster.ts'

/** Most issuers whose lists one device follows. */
export const ISSUERS_MAX = 16

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** A device on some list this one follows. */
export interface Member extends RosterEntry {
  /** Whose list it is on: the device that may remove it. */
  readonly issuer: DeviceId
}

/** What this device knows about who belongs: its own list and those of the devices it joined. */
export interface Membership {
  /** The lists changed. */
  readonly changes: EventSource<void>
  /**
   * Everyone on a list that has this device on it, this device first. A device on two
   * lists counts once, active before removed. Who removed this device is not in it.
   */
  members(): readonly Member[]
  /** The device, if some list says it belongs. */
  admitted(id: DeviceId): Member | undefined
  /** The entry of a device on one issuer's list, if that list says it belongs: rights on a list come from that list alone. */
  entryOn(issuer: DeviceId, id: DeviceId): RosterEntry | undefined
  /** True when a list says it was removed and none says it belongs. */
  wasRemoved(id: DeviceId): boolean
  /** `removed` as soon as an issuer that had admitted this device says so, and no other has it. */
  standing(): 'alone' | 'member' | 'removed'
  /** The lists this device follows, its own first. */
  rosters(): readonly SignedRoster[]
  /** Devices whose lists this one follows, without itself. */
  issuers(): readonly DeviceId[]
  /** Puts a device on the own list. */
  admit(entry: Omit<RosterEntry, 'admittedAt' | 'admittedBy' | 'removedAt'>, options?: Cancellable): Promise<void>
  /** Takes a device off the own list, for good. @throws MeshError `device-unknown`, `usage` (itself) */
  remove(id: DeviceId, options?: Cancellable): Promise<void>
  /** Names a device on the own list. @throws MeshError `device-unknown`, `usage` */
  rename(id: DeviceId, name: string, options?: Cancellable): Promise<void>
  /** Follows an issuer from now on. Only called for an inviter whose invitation this device holds. */
  follow(signed: SignedRoster, options?: Cancellable): Promise<void>
  /**
   * Takes a list told by any device: kept when its issuer is followed and it is newer.
   * @returns whether something changed. @throws MeshError `malformed`, `integrity`, `too-large`
   */
  offer(signed: SignedRoster, options?: Cancellable): Promise<boolean>
}

/** Loads the lists from the store; the own one is made at first start with this device on it. */
export async function loadMembership(
  ports: { readonly store: Store; readonly clock: Clock; readonly log: Logger },
  key: DeviceKey,
  self: Pick<RosterEntry, 'name' | 'kind'> & { readonly nameIsChosen?: boolean | undefined },
  options: Cancellable = {},
): Promise<Membership> {
  const { store, clock, log } = ports
  const changes = createEvents<void>((error) => {
    log.error('a listener of membership failed', { error })
  })
  const lists = new Map<DeviceId, { readonly roster: Roster; readonly signed: SignedRoster }>()
  // changes of the own list one after another: two at once would make the same version twice
  let turn: Promise<unknown> = Promise.resolve()

  const keep = async (signed: SignedRoster, roster: Roster, keepOptions: Cancellable): Promise<void> => {
    await store.put(storeKey(roster.issuer), encode(signed), keepOptions)
    lists.set(roster.issuer, { roster, signed })
    changes.emit()
  }

  const own = (): Roster => {
    const list = lists.get(key.id)
    if (list === undefined) throw new MeshError('bug', 'The own list of devices is missing.')
    return list.roster
  }

  const changeOwn = (edit: (roster: Roster) => Roster, editOptions: Cancellable): Promise<void> => {
    const run = async (): Promise<void> => {
      const next = edit(own())
      await keep(await signRoster(next, key, editOptions), next, editOptions)
    }
    const result = turn.then(run)
    turn = result.catch(() => undefined)
    return result
  }

  const ownEntry = (id: DeviceId): RosterEntry => {
    const entry = activeEntry(own(), id)
    if (entry === undefined) throw new MeshError('device-unknown', 'There is no such device in this mesh.')
    return entry
  }

  for (const { key: storedKey, value } of await store.list('roster/', options)) {
    const signed = decode(value, signedRoster, { maxBytes: ROSTER_MAX_BYTES * 2, what: `The stored list ${storedKey}` })
    const roster = await openRoster(signed)
    lists.set(roster.issuer, { roster, signed })
  }
  const mine = lists.get(key.id)?.roster
  const listed = mine?.devices.find((entry) => entry.id === key.id)
  if (mine === undefined || listed === undefined || (self.nameIsChosen === true && listed.name !== self.name)) {
    const now = clock.now()
    const base = mine ?? { issuer: key.id, version: 0, issuedAt: now, devices: [] }
    const entry = {
      role: 'owner' as const,
      person: '',
      admittedAt: now,
      admittedBy: key.id,
      removedAt: null,
      ...listed,
      id: key.id,
      name: self.name,
      kind: self.kind,
    }
    const roster = withEntry(base, entry, now)
    await keep(await signRoster(roster, key, options), roster, options)
  }

  const everyList = (): Roster[] =>
    [...lists.values()]
      .map((list) => list.roster)
      .sort((a, b) => Number(b.issuer === key.id) - Number(a.issuer === key.id))

  const members = (): Member[] => {
    const found = new Map<DeviceId, Member>()
    // a mesh that was joined names its devices; the own list comes after it
    for (const roster of everyList().reverse()) {
      if (activeEntry(roster, key.id) === undefined) continue
      for (const entry of roster.devices) {
        const known = found.get(entry.id)
        if (known === undefined || (known.removedAt !== null && entry.removedAt === null))
          found.set(entry.id, { ...entry, issuer: roster.issuer })
      }
    }
    return [...found.values()].sort(
      (a, b) => Number(b.id === key.id) - Number(a.id === key.id) || a.name.localeCompare(b.name),
    )
  }

  const find = (id: DeviceId): Member | undefined => members().find((member) => member.id === id)
  const followed = (): Roster[] => everyList().filter((roster) => roster.issuer !== key.id)

  return {
    changes,
    members,
    admitted(id) {
      const member = find(id)
      return member?.removedAt === null ? member : undefined
    },
    entryOn(issuer, id) {
      const roster = lists.get(issuer)?.roster
      return roster === undefined ? undefined : activeEntry(roster, id)
    },
    wasRemoved: (id) => {
      const member = find(id)
      return member !== undefined && member.removedAt !== null
    },
    standing() {
      const others = followed()
      if (others.some((roster) => activeEntry(roster, key.id) !== undefined)) return 'member'
      return others.length === 0 ? 'alone' : 'removed'
    },
    rosters: () => everyList().flatMap((roster) => lists.get(roster.issuer)?.signed ?? []),
    issuers: () => followed().map((roster) => roster.issuer),
    admit(entry, admitOptions = {}) {
      const name = cleanName(entry.name) || 'Unnamed device'
      return changeOwn((roster) => {
        const now = clock.now()
        return withEntry(roster, { ...entry, name, admittedAt: now, admittedBy: key.id, removedAt: null }, now)
      }, admitOptions)
    },
    async remove(id, removeOptions = {}) {
      if (id === key.id) throw new MeshError('usage', 'A device cannot remove itself. Remove it from another device.')
      await changeOwn(
        (roster) => withEntry(roster, { ...ownEntry(id), removedAt: clock.now() }, clock.now()),
        removeOptions,
      )
    },
    async rename(id, name, renameOptions = {}) {
      const cleaned = cleanName(name)
      if (cleaned === '') throw new MeshError('usage', 'A name needs at least one visible character.')
      await changeOwn((roster) => withEntry(roster, { ...ownEntry(id), name: cleaned }, clock.now()), renameOptions)
    },
    async follow(signed, followOptions = {}) {
      const roster = await openRoster(signed)
      if (!lists.has(roster.issuer) && lists.size >= ISSUERS_MAX) {
        throw new MeshError(
          'refused',
          `This device belongs to ${String(ISSUERS_MAX - 1)} meshes already, the most it can.`,
        )
      }
      const known = lists.get(roster.issuer)?.roster
      if (known !== undefined && known.version >= roster.version) return
      await keep(signed, roster, followOptions)
    },
    async offer(signed, offerOptions = {}) {
      const roster = await openRoster(signed)
      const known = lists.get(roster.issuer)?.roster
      // only lists of devices we joined count, and never an older one (roll-back)
      if (known === undefined || roster.issuer === key.id || roster.version <= known.version) return false
      await keep(signed, roster, offerOptions)
      return true
    },
  }
}

function storeKey(issuer: DeviceId): string {
  return `roster/${toHex(sha256(new TextEncoder().encode(issuer)).subarray(0, 16))}`
}
