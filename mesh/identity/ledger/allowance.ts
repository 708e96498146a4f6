import {
  LEDGER_ALLOWANCE_BYTES,
  LEDGER_ALLOWANCE_BYTES_PER_DAY,
  LEDGER_ALLOWANCE_ENTRIES,
  LEDGER_ALLOWANCE_ENTRIES_PER_DAY,
  LEDGER_LATE_ENTRIES_MAX,
  LEDGER_RESERVED_DEVICES_MAX,
  LEDGER_RESERVED_ENTRIES,
  LEDGER_SPONSORED_FACTOR,
  LEDGER_VITAL_ENTRIES,
  type DeviceId,
  type PersonId,
} from '../../base/index.ts'
import type { GraphNode } from './graph.ts'
import type { Judged } from './rules.ts'
import { personOfAdmission } from './view.ts'

/** What was written by somebody, or on somebody's account. */
export interface Amount {
  readonly entries: number
  readonly bytes: number
}

/** Which devices are out, in the ledger as it is with what is being looked at. */
export interface Standing {
  isRemoved(device: DeviceId): boolean
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
  /** May the author of this node bring in so much that was written by others? */
  mayBring(node: GraphNode, brought: Amount): boolean
  /** Notes that the author of this node brought in others' entries. */
  bring(node: GraphNode, brought: Amount): void
  /** Notes an entry of a device that was known to be removed when it came. */
  noteLate(device: DeviceId): void
  /** May an entry of a device that is known to be removed still be taken? */
  mayBeLate(device: DeviceId): boolean
}

/** What is taken of a batch so far, by device and by person. */
export interface Tally {
  add(node: GraphNode, person: PersonId): void
  remove(node: GraphNode, person: PersonId): void
  of(id: DeviceId | PersonId): Amount
}

const NOTHING: Amount = { entries: 0, bytes: 0 }
const DAY_MS = 24 * 60 * 60_000

/** Sums of entries and bytes by whoever wrote them. */
export function createTally(): Tally {
  const sums = new Map<DeviceId | PersonId, Amount>()
  const change = (id: DeviceId | PersonId, node: GraphNode, sign: 1 | -1): void => {
    const { entries, bytes } = sums.get(id) ?? NOTHING
    sums.set(id, { entries: entries + sign, bytes: bytes + sign * node.entry.bytes.byteLength })
  }
  return {
    add(node, person) {
      change(node.entry.author, node, 1)
      change(person, node, 1)
    },
    remove(node, person) {
      change(node.entry.author, node, -1)
      change(person, node, -1)
    },
    of: (id) => sums.get(id) ?? NOTHING,
  }
}

/** The accounts over a graph that they follow step by step. */
export function createAllowances(ports: {
  readonly nodes: readonly GraphNode[]
  judgedFirst(node: GraphNode): Judged
  now(): number
}): Allowances {
  const { nodes, judgedFirst } = ports
  const written = createTally()
  /** Entries that no account holds back, by author. */
  const vital = new Map<DeviceId, number>()
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

  const allowanceOf = (person: PersonId): Amount => {
    const now = ports.now()
    const days = Math.max(0, (now - (foundedAt.get(person) ?? now)) / DAY_MS)
    return {
      entries: LEDGER_ALLOWANCE_ENTRIES + days * LEDGER_ALLOWANCE_ENTRIES_PER_DAY,
      bytes: LEDGER_ALLOWANCE_BYTES + days * LEDGER_ALLOWANCE_BYTES_PER_DAY,
    }
  }

  const learn = (node: GraphNode): void => {
    times[node.place] = timeOf(node)
    const { fields, certificate } = node.entry
    if (judgedFirst(node).rule !== undefined) return
    if ((fields.type !== 'admit' && fields.type !== 'create') || certificate === undefined) return
    const theirs = personOfAdmission(node)
    if (!foundedAt.has(theirs)) foundedAt.set(theirs, times[node.place] ?? 0)
    const devices = devicesOf.get(theirs) ?? new Set()
    devicesOf.set(theirs, devices.add(certificate.device))
  }

  const isOver = (amount: Amount, allowance: Amount, factor: number): boolean =>
    amount.entries >= allowance.entries * factor || amount.bytes >= allowance.bytes * factor

  /** What the devices of a person wrote that still belong, and what all of them did. */
  const spentBy = (
    person: PersonId,
    taken: Tally,
    standing: Standing,
  ): { readonly active: Amount; readonly ever: Amount } => {
    const sumOf = (id: DeviceId | PersonId): Amount => ({
      entries: written.of(id).entries + taken.of(id).entries,
      bytes: written.of(id).bytes + taken.of(id).bytes,
    })
    const ever = sumOf(person)
    let { entries, bytes } = ever
    for (const device of devicesOf.get(person) ?? []) {
      if (!standing.isRemoved(device)) continue
      entries -= sumOf(device).entries
      bytes -= sumOf(device).bytes
    }
    return { active: { entries, bytes }, ever }
  }

  const countVital = (node: GraphNode, by: 1 | -1): void => {
    if (isVital(node)) vital.set(node.entry.author, (vital.get(node.entry.author) ?? 0) + by)
  }

  /**
   * What ends an attack must not wait for the attacker's account: removals, keys after
   * them, and who comes by the recovery words, each of a device that was among the first
   * of its person or came by those words.
   */
  const mayPass = (node: GraphNode, person: PersonId): boolean => {
    if (!isVital(node) || (vital.get(node.entry.author) ?? 0) >= LEDGER_VITAL_ENTRIES) return false
    if (node.entry.fields.type === 'admit' || judgedFirst(node).byRecovery) return true
    const first = [...(devicesOf.get(person) ?? [])].slice(0, LEDGER_RESERVED_DEVICES_MAX)
    return first.includes(node.entry.author)
  }

  /** A few entries of each device are kept free: who is flooded by a device of its own can still remove it. */
  const hasReserve = (node: GraphNode, person: PersonId, taken: Tally): boolean =>
    (devicesOf.get(person)?.size ?? 0) <= LEDGER_RESERVED_DEVICES_MAX &&
    written.of(node.entry.author).entries + taken.of(node.entry.author).entries < LEDGER_RESERVED_ENTRIES

  return {
    learn(some) {
      for (const node of some) learn(node)
    },
    follow(place) {
      for (; reached < place; reached++) {
        const node = nodes[reached]
        if (node === undefined) continue
        learn(node)
        const { person } = judgedFirst(node)
        if (person !== undefined) written.add(node, person)
        countVital(node, 1)
      }
    },
    remove(gone) {
      for (const node of gone) {
        const { person } = judgedFirst(node)
        if (node.place >= reached) continue
        if (person !== undefined) written.remove(node, person)
        countVital(node, -1)
      }
      reached = Math.min(reached, gone[0]?.place ?? reached)
      times.length = Math.min(times.length, reached)
    },
    isAmple(some) {
      const taken = createTally()
      return some.every((node) => {
        const { person } = judgedFirst(node)
        if (person === undefined) return true
        taken.add(node, person)
        const [before, now] = [written.of(person), taken.of(person)]
        const allowance = { entries: LEDGER_ALLOWANCE_ENTRIES, bytes: LEDGER_ALLOWANCE_BYTES }
        return !isOver({ entries: before.entries + now.entries - 1, bytes: before.bytes + now.bytes }, allowance, 1)
      })
    },
    mayTake(node, taken, standing) {
      const { person } = judgedFirst(node)
      if (person === undefined) return true
      const allowance = allowanceOf(person)
      const { active, ever } = spentBy(person, taken, standing)
      if (!isOver(active, allowance, 1) && !isOver(ever, allowance, 2)) return true
      return hasReserve(node, person, taken) || mayPass(node, person)
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

/** What ends an attack, and what has to follow it. */
function isVital({ entry: { fields } }: GraphNode): boolean {
  return (
    fields.type === 'revoke' || fields.type === 'rotate' || (fields.type === 'admit' && fields.recovery !== undefined)
  )
}
