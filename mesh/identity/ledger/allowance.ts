import {
  LEDGER_ALLOWANCE_BYTES,
  LEDGER_ALLOWANCE_BYTES_PER_DAY,
  LEDGER_ALLOWANCE_ENTRIES,
  LEDGER_ALLOWANCE_ENTRIES_PER_DAY,
  LEDGER_DEVICES_PER_PERSON_MAX,
  LEDGER_KEYS_BYTES_PER_ENTRY,
  LEDGER_KEYS_ENTRIES,
  LEDGER_KEYS_ENTRIES_PER_DAY,
  LEDGER_LATE_ENTRIES_MAX,
  LEDGER_RESERVED_DEVICES_MAX,
  LEDGER_RESERVED_ENTRIES,
  LEDGER_SHARES_OTHER_ENTRIES,
  LEDGER_SHARES_OTHER_ENTRIES_PER_DAY,
  LEDGER_SHARES_OWN_ENTRIES,
  LEDGER_SHARES_OWN_ENTRIES_PER_DAY,
  LEDGER_SPONSORED_FACTOR,
  LEDGER_VITAL_ENTRIES,
  type DeviceId,
  type PersonId,
} from '../../base/index.ts'
import type { Recipient } from './entry.ts'
import type { GraphNode } from './graph.ts'
import type { Judged } from './rules.ts'
import { personOfAdmission } from './view.ts'

/** What was written by somebody, or on somebody's account. */
export interface Amount {
  readonly entries: number
  readonly bytes: number
}

/** Who is in and who is out, in the ledger as it is with what is being looked at. */
export interface Standing {
  isRemoved(device: DeviceId): boolean
  /** Is it a device of this person, and not removed? */
  isOf(device: DeviceId, person: PersonId): boolean
}

/**
 * How much of the ledger each person may fill. It is this device's own measure: what is
 * over it is not kept now, and is taken later, or when what somebody else wrote within
 * theirs links it. So no author makes the ledger of all others grow without end, and
 * nobody is cut off from what others took.
 */
export interface Allowances {
  /** Learns whose devices these are, and how old each is; they are on nobody's account yet. */
  learn(nodes: readonly GraphNode[]): void
  /** Puts what is in the graph below this place on its authors' accounts. */
  follow(place: number): void
  /** Uncounts these, which were added last. */
  remove(nodes: readonly GraphNode[]): void
  /** True while nobody could be over it, whoever was removed: nothing further need be asked. */
  isAmple(nodes: readonly GraphNode[]): boolean
  /** May the node be taken on its author's own account, beside what else of the same batch was? */
  mayTake(node: GraphNode, taken: Tally, standing: Standing): boolean
  /** What the node is put down under, beside what else of the same batch was. */
  accountsOf(node: GraphNode, taken: Tally): readonly AccountId[]
  /** Has the person that a device comes into as many as it may have? Who comes by recovery words is let in all the same. */
  isCrowded(node: GraphNode, taken: Tally, standing: Standing): boolean
  /**
   * True for an entry that gives older keys while as many as may be were given to that
   * person of late. Nobody makes the software of somebody else fill that one's own account.
   */
  isShareOver(node: GraphNode, standing: () => Standing): boolean
  /** May the author of this node bring in so much that was written by others? */
  mayBring(node: GraphNode, brought: Amount): boolean
  /** Notes that the author of this node brought in others' entries. */
  bring(node: GraphNode, brought: Amount): void
  /** Notes an entry of a device that was known to be removed when it came. */
  noteLate(device: DeviceId): void
  /** May an entry of a device that is known to be removed still be taken? */
  mayBeLate(device: DeviceId): boolean
}

/** An account of what the software writes: rotations, and keys that one person gives another. */
type KeysId = `keys:${PersonId}` | `shares:${PersonId} ${PersonId}`

/** What something is put down under. */
type AccountId = DeviceId | PersonId | KeysId | `of:${DeviceId} ${KeysId}` | `vital:${DeviceId} ${string}`

/** What is taken of a batch so far, by account. */
export interface Tally {
  add(node: GraphNode, accounts: readonly AccountId[]): void
  remove(node: GraphNode, accounts: readonly AccountId[]): void
  of(id: AccountId): Amount
  /** Devices that were let into a person by what is taken. */
  readonly devices: ReadonlyMap<PersonId, ReadonlySet<DeviceId>>
}

const NOTHING: Amount = { entries: 0, bytes: 0 }
const DAY_MS = 24 * 60 * 60_000

/** Sums of entries and bytes by account. */
export function createTally(): Tally {
  const sums = new Map<AccountId, Amount>()
  const devices = new Map<PersonId, Set<DeviceId>>()
  const change = (id: AccountId, node: GraphNode, sign: 1 | -1): void => {
    const { entries, bytes } = sums.get(id) ?? NOTHING
    sums.set(id, { entries: entries + sign, bytes: bytes + sign * node.entry.bytes.byteLength })
  }
  return {
    devices,
    add(node, accounts) {
      for (const id of accounts) change(id, node, 1)
      const come = comingOf(node)
      if (come !== undefined) devices.set(come.person, (devices.get(come.person) ?? new Set()).add(come.device))
    },
    remove(node, accounts) {
      for (const id of accounts) change(id, node, -1)
    },
    of: (id) => sums.get(id) ?? NOTHING,
  }
}

/** Which device an entry lets into which person. */
function comingOf(node: GraphNode): { readonly device: DeviceId; readonly person: PersonId } | undefined {
  const { fields, certificate } = node.entry
  if ((fields.type !== 'admit' && fields.type !== 'create') || certificate === undefined) return undefined
  return { device: certificate.device, person: personOfAdmission(node) }
}

/** The accounts over a graph that they follow step by step. */
export function createAllowances(ports: {
  readonly nodes: readonly GraphNode[]
  judgedFirst(node: GraphNode): Judged
  now(): number
}): Allowances {
  const { nodes, judgedFirst } = ports
  const written = createTally()
  /** By place: what it was put down under. */
  const accounts: (readonly AccountId[])[] = []
  const personOf = new Map<DeviceId, PersonId>()
  const devicesOf = new Map<PersonId, Set<DeviceId>>()
  /** By place: the time of an entry, never before what it saw; an author that lies makes itself no older. */
  const times: number[] = []
  const foundedAt = new Map<PersonId, number>()
  const broughtBy = new Map<PersonId, Amount>()
  const late = new Map<DeviceId, number>()
  let reached = 0

  const timeOf = (node: GraphNode): number => {
    // a time that has not come is no time: else one entry would keep all who come later from ever growing older
    const own = node.entry.at > ports.now() + DAY_MS ? 0 : node.entry.at
    return node.parents.reduce((time, parent) => Math.max(time, times[parent] ?? 0), own)
  }

  const daysOf = (person: PersonId): number => {
    const now = ports.now()
    return Math.max(0, (now - (foundedAt.get(person) ?? now)) / DAY_MS)
  }

  const allowanceOf = (person: PersonId): Amount => {
    const days = daysOf(person)
    return {
      entries: LEDGER_ALLOWANCE_ENTRIES + days * LEDGER_ALLOWANCE_ENTRIES_PER_DAY,
      bytes: LEDGER_ALLOWANCE_BYTES + days * LEDGER_ALLOWANCE_BYTES_PER_DAY,
    }
  }

  const learn = (node: GraphNode): void => {
    times[node.place] = timeOf(node)
    if (judgedFirst(node).rule !== undefined) return
    const come = comingOf(node)
    if (come === undefined) return
    const { person, device } = come
    if (!foundedAt.has(person)) foundedAt.set(person, times[node.place] ?? 0)
    if (!personOf.has(device)) personOf.set(device, person)
    devicesOf.set(person, (devicesOf.get(person) ?? new Set()).add(device))
  }

  /** Devices a person has at most, whether they belong or not. */
  const mostDevices = (person: PersonId, taken: Tally): number =>
    (written.devices.get(person)?.size ?? 0) + (taken.devices.get(person)?.size ?? 0)

  const isOver = (amount: Amount, allowance: Amount, factor: number): boolean =>
    amount.entries >= allowance.entries * factor || amount.bytes >= allowance.bytes * factor

  const sumOf = (id: AccountId, taken: Tally): Amount => {
    const [before, now] = [written.of(id), taken.of(id)]
    return { entries: before.entries + now.entries, bytes: before.bytes + now.bytes }
  }

  /** What the devices of a person wrote that still belong, and what all of them did. */
  const spentBy = (
    person: PersonId,
    taken: Tally,
    standing: Standing,
  ): { readonly active: Amount; readonly ever: Amount } => {
    const ever = sumOf(person, taken)
    let { entries, bytes } = ever
    for (const device of devicesOf.get(person) ?? []) {
      if (!standing.isRemoved(device)) continue
      const gone = sumOf(device, taken)
      entries -= gone.entries
      bytes -= gone.bytes
    }
    return { active: { entries, bytes }, ever }
  }

  /**
   * Keys are written by the software, as often as others come and go: they are on accounts
   * of their own, so that nobody fills with them what a person has for what it does itself.
   */
  const keysAccountOf = (node: GraphNode, person: PersonId): KeysAccount | undefined => {
    const { fields } = node.entry
    if (fields.type === 'rotate') {
      const entries = LEDGER_KEYS_ENTRIES + daysOf(person) * LEDGER_KEYS_ENTRIES_PER_DAY
      return { id: `keys:${person}`, allowance: forKeys(entries) }
    }
    if (fields.type !== 'share') return undefined
    const to = personOfRecipient(fields.to)
    if (to === undefined) return undefined
    const days = Math.min(daysOf(person), daysOf(to))
    const entries =
      to === person
        ? LEDGER_SHARES_OWN_ENTRIES + days * LEDGER_SHARES_OWN_ENTRIES_PER_DAY
        : LEDGER_SHARES_OTHER_ENTRIES + days * LEDGER_SHARES_OTHER_ENTRIES_PER_DAY
    return { id: `shares:${person} ${to}`, allowance: forKeys(entries) }
  }

  const personOfRecipient = (to: Recipient): PersonId | undefined =>
    isRecovery(to) ? (to.slice('recovery:'.length) as PersonId) : personOf.get(to)

  const hasRoom = ({ id, allowance }: KeysAccount, taken: Tally): boolean => !isOver(sumOf(id, taken), allowance, 1)

  const accountsOf = (node: GraphNode, taken: Tally): readonly AccountId[] => {
    const { person } = judgedFirst(node)
    if (person === undefined) return []
    const { author } = node.entry
    const keys = keysAccountOf(node, person)
    if (keys !== undefined && hasRoom(keys, taken)) return [keys.id, byDevice(keys, author)]
    const mayBeBeyond = isVital(node) && sumOf(vitalOf(node), taken).entries < LEDGER_VITAL_ENTRIES
    if (mayBeBeyond && isOver(sumOf(person, taken), allowanceOf(person), 1)) return [vitalOf(node)]
    return [author, person]
  }

  /**
   * What ends an attack must not wait for the attacker's account: removals, keys after
   * them, and who comes by the recovery words, each of a device that was among the first
   * of its person or came by those words.
   */
  const mayPass = (node: GraphNode, person: PersonId, taken: Tally): boolean => {
    if (!isVital(node) || sumOf(vitalOf(node), taken).entries >= LEDGER_VITAL_ENTRIES) return false
    if (node.entry.fields.type === 'admit' || judgedFirst(node).byRecovery) return true
    const first = [...(devicesOf.get(person) ?? [])].slice(0, LEDGER_RESERVED_DEVICES_MAX)
    return first.includes(node.entry.author)
  }

  /** A few entries of each device are kept free: who is flooded by a device of its own can still remove it. */
  const hasReserve = (node: GraphNode, person: PersonId, taken: Tally): boolean =>
    (devicesOf.get(person)?.size ?? 0) <= LEDGER_RESERVED_DEVICES_MAX &&
    sumOf(node.entry.author, taken).entries < LEDGER_RESERVED_ENTRIES

  return {
    learn(some) {
      for (const node of some) learn(node)
    },
    follow(place) {
      for (; reached < place; reached++) {
        const node = nodes[reached]
        if (node === undefined) continue
        learn(node)
        accounts[node.place] = accountsOf(node, NOTHING_TAKEN)
        written.add(node, accounts[node.place] ?? [])
      }
    },
    remove(gone) {
      for (const node of gone) if (node.place < reached) written.remove(node, accounts[node.place] ?? [])
      reached = Math.min(reached, gone[0]?.place ?? reached)
      times.length = Math.min(times.length, reached)
      accounts.length = Math.min(accounts.length, reached)
    },
    accountsOf,
    isAmple(some) {
      const taken = createTally()
      return some.every((node) => {
        const { person } = judgedFirst(node)
        if (person === undefined) return true
        const come = comingOf(node)
        const own = accountsOf(node, taken)
        taken.add(node, own)
        if (come !== undefined && mostDevices(come.person, taken) > LEDGER_DEVICES_PER_PERSON_MAX) return false
        if (own.some((id) => id.startsWith('vital:'))) return false
        if (!own.includes(person)) return true
        const { entries, bytes } = sumOf(person, taken)
        const allowance = { entries: LEDGER_ALLOWANCE_ENTRIES, bytes: LEDGER_ALLOWANCE_BYTES }
        return !isOver({ entries: entries - 1, bytes }, allowance, 1)
      })
    },
    isCrowded(node, taken, standing) {
      const come = comingOf(node)
      const { fields } = node.entry
      if (come === undefined || (fields.type === 'admit' && fields.recovery !== undefined)) return false
      const all = new Set([...(written.devices.get(come.person) ?? []), ...(taken.devices.get(come.person) ?? [])])
      all.delete(come.device)
      return [...all].filter((device) => standing.isOf(device, come.person)).length >= LEDGER_DEVICES_PER_PERSON_MAX
    },
    isShareOver(node, standing) {
      const { person } = judgedFirst(node)
      const keys = person === undefined ? undefined : keysAccountOf(node, person)
      if (person === undefined || keys === undefined || node.entry.fields.type !== 'share') return false
      if (hasRoom(keys, NOTHING_TAKEN)) return false
      // what a device gave that was removed since keeps those who stay from nothing
      const now = standing()
      const gone = [...(devicesOf.get(person) ?? [])].filter((device) => now.isRemoved(device))
      const { entries, bytes } = written.of(keys.id)
      const without = gone.reduce(
        (left, device) => {
          const theirs = written.of(byDevice(keys, device))
          return { entries: left.entries - theirs.entries, bytes: left.bytes - theirs.bytes }
        },
        { entries, bytes },
      )
      return isOver(without, keys.allowance, 1)
    },
    mayTake(node, taken, standing) {
      const { person } = judgedFirst(node)
      if (person === undefined) return true
      const keys = keysAccountOf(node, person)
      if (keys !== undefined && hasRoom(keys, taken)) return true
      const allowance = allowanceOf(person)
      const { active, ever } = spentBy(person, taken, standing)
      if (!isOver(active, allowance, 1) && !isOver(ever, allowance, 2)) return true
      return hasReserve(node, person, taken) || mayPass(node, person, taken)
    },
    mayBring(node, brought) {
      const { person } = judgedFirst(node)
      if (person === undefined) return false
      const before = broughtBy.get(person) ?? NOTHING
      const sum = { entries: before.entries + brought.entries, bytes: before.bytes + brought.bytes }
      const { entries, bytes } = allowanceOf(person)
      // no more bytes than come together in one fetch
      return !isOver(sum, { entries: entries * LEDGER_SPONSORED_FACTOR, bytes: bytes * 2 }, 1)
    },
    bring(node, brought) {
      const { person } = judgedFirst(node)
      if (person === undefined) return
      const before = broughtBy.get(person) ?? NOTHING
      broughtBy.set(person, { entries: before.entries + brought.entries, bytes: before.bytes + brought.bytes })
    },
    noteLate(device) {
      late.set(device, (late.get(device) ?? 0) + 1)
    },
    mayBeLate: (device) => (late.get(device) ?? 0) < LEDGER_LATE_ENTRIES_MAX,
  }
}

/** An account of keys, and how much may be on it now. */
interface KeysAccount {
  readonly id: KeysId
  readonly allowance: Amount
}

const NOTHING_TAKEN = createTally()

function forKeys(entries: number): Amount {
  return { entries, bytes: entries * LEDGER_KEYS_BYTES_PER_ENTRY }
}

/** What of an account one device put there. */
function byDevice({ id }: KeysAccount, device: DeviceId): AccountId {
  return `of:${device} ${id}`
}

/** Entries that no account holds back, of each device and kind. */
function vitalOf({ entry: { author, fields } }: GraphNode): AccountId {
  return `vital:${author} ${fields.type}`
}

function isRecovery(to: Recipient): to is `recovery:${PersonId}` {
  return to.startsWith('recovery:')
}

/** What ends an attack, and what has to follow it. */
function isVital({ entry: { fields } }: GraphNode): boolean {
  return (
    fields.type === 'revoke' || fields.type === 'rotate' || (fields.type === 'admit' && fields.recovery !== undefined)
  )
}
