import * as z from 'zod/mini'
import {
  asMeshError,
  getWhole,
  SYNC_BUDGET_BURST_BYTES,
  SYNC_BUDGET_BYTES_PER_DAY,
  SYNC_BUDGET_BYTES_PER_S,
  SYNC_BUDGET_CHAIN_BYTES,
  SYNC_BUDGET_END_BYTES,
  SYNC_BUDGET_ENVELOPE_BYTES,
  SYNC_BUDGET_MAX_BYTES,
  SYNC_BUDGET_OPERATION_BYTES,
  SYNC_FORWARD_BYTES_PER_DAY,
  SYNC_FORWARD_MAX_BYTES,
  type DeviceId,
} from '../base/index.ts'
import { decode, encode, list, text, whole } from '../wire/index.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'

const KEY = 'sync/budgets'
const SAVE_EVERY_MS = 30_000
const DAY_MS = 24 * 60 * 60_000
const PAYERS_MAX = 4_096

/** What keeping an envelope costs. */
export interface KeepCost {
  readonly bytes: number
  /** Entries in it and what it erases: each takes memory wherever the document is open, however few bytes it has on the disk. */
  readonly operations: number
  /** Chains it begins: what is known of each is in memory from then on, also while the document is closed. */
  readonly chains: number
  /** Ends it tells that nothing here bounds, perhaps of chains that do not exist: each is remembered. */
  readonly ends?: number
}

/**
 * What other people may make this device keep, over time: a person's devices together
 * what they send of their own, and more of what others wrote and they hand on. Whoever
 * has used theirs up is taken from later; nothing is refused for good. The own person's
 * devices pay nothing: a new one takes years of history at once. It is a budget with each device: what
 * somebody gives to several, these hand on to each other (docs/threat-model.md).
 */
export interface Budgets {
  /** Pays for an envelope about to be kept. @returns 0 when that is done; else in how many ms to try again */
  spend(author: DeviceId, via: DeviceId, cost: KeepCost): number
  /** Gives back what was paid for what is not kept after all. */
  giveBack(author: DeviceId, via: DeviceId, cost: KeepCost): void
  /**
   * Gives back what an end cost to who paid for it, which need not be who told it: it proved to be of a chain, which
   * was paid for too. Two friends would else have what the one may hand on paid into what the other may send.
   */
  giveBackEnd(teller: DeviceId, via: DeviceId): void
  /** Writes down what is left of them. */
  close(): void
}

/** An amount that refills with time. */
interface Bucket {
  level: number
  at: number
}

interface Terms {
  readonly max: number
  readonly perMs: number
}

interface Payers {
  readonly long: Bucket
  readonly terms: Terms
  readonly short: Bucket | undefined
}

const LASTING: Terms = { max: SYNC_BUDGET_MAX_BYTES, perMs: SYNC_BUDGET_BYTES_PER_DAY / DAY_MS }
const BURST: Terms = { max: SYNC_BUDGET_BURST_BYTES, perMs: SYNC_BUDGET_BYTES_PER_S / 1_000 }
const FORWARD: Terms = { max: SYNC_FORWARD_MAX_BYTES, perMs: SYNC_FORWARD_BYTES_PER_DAY / DAY_MS }

/** The budgets of this device's store. */
export async function loadBudgets(
  { store, clock, log, writers, signer }: Pick<SyncPorts, 'store' | 'clock' | 'log' | 'writers' | 'signer'>,
  options: Options,
): Promise<Budgets> {
  /** Of the wall clock, for they last over restarts. */
  const lasting = new Map<string, Bucket>()
  const bursts = new Map<string, Bucket>()
  let cancelSave: (() => void) | undefined

  const stored = await getWhole(store, KEY, log, options)
  if (stored !== undefined) {
    try {
      for (const [payer, level, at] of decode(stored, saved, { maxBytes: SAVED_MAX_BYTES, what: 'The budgets' }))
        lasting.set(payer, { level, at })
    } catch (error) {
      // they begin anew
      log.warn('the budgets of others could not be read', { reason: asMeshError(error).message })
    }
  }

  const save = (): void => {
    cancelSave = undefined
    const rows = [...lasting].map(([payer, { level, at }]) => [payer, Math.max(0, Math.floor(level)), at] as const)
    store.put(KEY, encode(rows.slice(-PAYERS_MAX))).catch((error: unknown) => {
      log.info('the budgets of others were not kept', { reason: asMeshError(error).message })
    })
  }
  const saveSoon = (): void => {
    cancelSave ??= clock.schedule(SAVE_EVERY_MS, save)
  }

  const bucketOf = (buckets: Map<string, Bucket>, payer: string, { max, perMs }: Terms, now: number): Bucket => {
    const bucket = buckets.get(payer) ?? { level: max, at: now }
    buckets.set(payer, bucket)
    // a wall clock that went back refills nothing
    bucket.level = Math.min(max, bucket.level + Math.max(0, now - bucket.at) * perMs)
    bucket.at = now
    return bucket
  }

  /** A bucket may be overdrawn by one envelope, so that a large one is not waited for for ever. */
  const waitFor = ({ level }: Bucket, { perMs }: Terms): number => (level > 0 ? 0 : Math.ceil((1 - level) / perMs))

  const personOf = (device: DeviceId): string => writers.personOf?.(device) ?? device

  /** What pays for what an author wrote and a device sends; undefined where nobody does. */
  const payersOf = (author: DeviceId, via: DeviceId): Payers | undefined => {
    const sender = personOf(via)
    if (writers.personOf === undefined || sender === personOf(signer.id)) return undefined
    // what nobody wrote who is known is the sender's own: else it would have the larger budget for what it made up
    const isOwn = sender === (writers.personOf(author) ?? sender)
    const [payer, terms] = isOwn ? [sender, LASTING] : [`${sender}/others`, FORWARD]
    const long = bucketOf(lasting, payer, terms, clock.now())
    return { long, terms, short: isOwn ? bucketOf(bursts, payer, BURST, clock.monotonic()) : undefined }
  }

  const refill = (payers: Payers | undefined, bytes: number, momentBytes: number): void => {
    if (payers === undefined) return
    const { long, terms, short } = payers
    long.level = Math.min(terms.max, long.level + bytes)
    if (short !== undefined) short.level = Math.min(BURST.max, short.level + momentBytes)
    saveSoon()
  }

  return {
    spend(author, via, cost) {
      const payers = payersOf(author, via)
      if (payers === undefined) return 0
      const { long, terms, short } = payers
      const waitMs = Math.max(waitFor(long, terms), short === undefined ? 0 : waitFor(short, BURST))
      if (waitMs > 0) return waitMs
      long.level -= lastingOf(cost)
      if (short !== undefined) short.level -= momentOf(cost)
      saveSoon()
      return 0
    },
    giveBack(author, via, cost) {
      refill(payersOf(author, via), lastingOf(cost), momentOf(cost))
    },
    giveBackEnd(teller, via) {
      refill(payersOf(teller, via), SYNC_BUDGET_END_BYTES, 0)
    },
    close() {
      if (cancelSave === undefined) return
      cancelSave()
      save()
    },
  }
}

function momentOf({ bytes }: KeepCost): number {
  return bytes + SYNC_BUDGET_ENVELOPE_BYTES
}

/** Memory is taken for good and not by how fast it comes: ordinary talk keeps its pace. */
function lastingOf(cost: KeepCost): number {
  const { operations, chains, ends = 0 } = cost
  const memory =
    operations * SYNC_BUDGET_OPERATION_BYTES + chains * SYNC_BUDGET_CHAIN_BYTES + ends * SYNC_BUDGET_END_BYTES
  return momentOf(cost) + memory
}

const SAVED_MAX_BYTES = PAYERS_MAX * 256
const saved = list(z.tuple([text(160), whole(), whole()]), PAYERS_MAX)
