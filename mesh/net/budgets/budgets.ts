import {
  ARRIVALS_OWED_MAX_MS,
  BUDGET_WAIT_MAX_MS,
  MeshError,
  sleep,
  STREAM_WORK_MS,
  STRANGERS_UNREAD_MAX_BYTES,
  type Clock,
  type DeviceId,
} from '../../base/index.ts'
import { createBucket, type Bucket } from './bucket.ts'
import { DEVICE_RATES, MESSAGE_BYTES, STRANGER, STRANGERS, type Rates, type Resource, type Spender } from './rates.ts'
import { createWorkMeter, type Piece } from './work.ts'

/** What is used at once. */
export type Spending = Partial<Readonly<Record<Resource, number>>>

/** What one connection may cost this device, by the role its device has at this moment. */
export interface Account {
  /** Charges what was used; what goes beyond the budget is owed. */
  charge(spending: Spending): void
  /** How long until the budget allows more, in ms; 0: now. */
  waitMs(): number
  /** How long until what arrived beyond its role is paid, streams and messages, in ms: to wait costs who floods nothing, and each cost this device. */
  arrivalsOwedMs(): number
  /** Begins a piece of work at the cost of this account: the time the processor is at it is charged when it stops. */
  start(): Piece
  /** Resolves when the budget allows more. @throws MeshError `aborted` */
  ready(options: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Counts what lies here unread of a frame; when strangers hold too much in all, whoever holds most is cut. */
  hold(cut: (reason: MeshError) => void): Holding
  /** The streams of this connection that are served now. */
  openStreams: number
  /** Bytes and work are charged where the connection itself is watched. */
  isMetered: boolean
}

/** Unread bytes of one stream. */
export interface Holding {
  set(bytes: number): void
}

/** Budgets of all devices and connections of a peer. */
export interface Budgets {
  /** The account of a connection, or of anything that stands for it. The same key is the same account. */
  account(device: DeviceId, key: object): Account
}

type Buckets = Readonly<Record<keyof Rates, Bucket>>

/** Most accounts of admitted devices kept; who comes back after it begins with a full bucket. */
const DEVICES_MAX = 4_096

/** What budgets stand on. */
export interface BudgetPorts {
  readonly clock: Clock
  readonly spender: (id: DeviceId) => Spender
  /** How much of the work that their budgets give others may have here, from 0 to 1; own devices have all of it. Default 1. */
  readonly workShare?: number | undefined
}

/** Everybody begins with a full bucket. `spender` is asked at every charge: a removal counts at once. */
export function createBudgets(ports: BudgetPorts): Budgets {
  const { clock, spender, workShare = 1 } = ports
  const pool = bucketsOf(STRANGERS, clock, workShare)
  const devices = new Map<DeviceId, { readonly rates: Rates; readonly buckets: Buckets }>()
  const accounts = new WeakMap<object, Account>()
  const held = createHeld()
  const meter = createWorkMeter(clock)

  const ofDevice = (id: DeviceId, rates: Rates): Buckets => {
    const known = devices.get(id)
    const share = rates === DEVICE_RATES.own ? 1 : workShare
    const own = known?.rates === rates ? known : { rates, buckets: bucketsOf(rates, clock, share) }
    // re-inserted, so that the map's order is the order of last use
    devices.delete(id)
    devices.set(id, own)
    if (devices.size > DEVICES_MAX) {
      const [oldest] = devices.keys()
      if (oldest !== undefined) devices.delete(oldest)
    }
    return own.buckets
  }

  const open = (device: DeviceId): Account => {
    const share = bucketsOf(STRANGER, clock, workShare)
    const isStranger = (): boolean => DEVICE_RATES[spender(device)] === undefined
    const inForce = (): readonly Buckets[] => {
      const rates = DEVICE_RATES[spender(device)]
      return rates === undefined ? [pool, share] : [ofDevice(device, rates)]
    }
    const account: Account = {
      openStreams: 0,
      isMetered: false,
      charge(spending) {
        const nowMs = clock.monotonic()
        for (const buckets of inForce())
          for (const [resource, amount] of Object.entries(spending) as [Resource, number][]) {
            buckets[resource].take(amount, nowMs)
            if (resource === 'workMs') buckets.peakWorkMs.take(amount, nowMs)
          }
      },
      waitMs() {
        const nowMs = clock.monotonic()
        return Math.max(...inForce().map((buckets) => waitOf(buckets, nowMs)))
      },
      // of a stranger its own share: that the others used up theirs is not its doing
      arrivalsOwedMs() {
        const own = inForce().at(-1)
        return own === undefined ? 0 : Math.max(own.streams.waitMs(), own.messages.waitMs())
      },
      start: () =>
        meter.start((workMs) => {
          account.charge({ workMs })
        }),
      async ready(options) {
        for (let wait = account.waitMs(); wait > 0; wait = account.waitMs()) await sleep(clock, wait, options)
      },
      hold: (cut) => held.open(isStranger, cut),
    }
    return account
  }

  return {
    account(device, key) {
      const known = accounts.get(key) ?? open(device)
      accounts.set(key, known)
      return known
    },
  }
}

function bucketsOf(rates: Rates, clock: Clock, workShare: number): Buckets {
  const bucket = (resource: keyof Rates, share = 1): Bucket => {
    const { perSecond, burstSeconds } = rates[resource]
    return createBucket({ perSecond: perSecond * share, burstSeconds }, clock, BUDGET_WAIT_MAX_MS)
  }
  return {
    frames: bucket('frames'),
    bytes: bucket('bytes'),
    streams: bucket('streams'),
    messages: bucket('messages'),
    workMs: bucket('workMs', workShare),
    peakWorkMs: bucket('peakWorkMs', workShare),
  }
}

function waitOf(buckets: Buckets, nowMs: number): number {
  return Math.max(...Object.values(buckets).map((bucket) => bucket.waitMs(nowMs)))
}

interface Held {
  bytes: number
  readonly cut: (reason: MeshError) => void
}

/** Counts what strangers have sent of frames that are not whole. */
function createHeld(): { open(isStranger: () => boolean, cut: Held['cut']): Holding } {
  const all = new Set<Held>()
  let total = 0
  const change = (one: Held, bytes: number): void => {
    total += bytes - one.bytes
    one.bytes = bytes
    if (bytes === 0) all.delete(one)
    else all.add(one)
  }
  return {
    open(isStranger, cut) {
      const own: Held = { bytes: 0, cut }
      return {
        set(bytes) {
          change(own, isStranger() ? bytes : 0)
          while (total > STRANGERS_UNREAD_MAX_BYTES) {
            const largest = [...all].reduce((a, b) => (b.bytes > a.bytes ? b : a))
            change(largest, 0)
            largest.cut(new MeshError('busy', 'Too much lies here unread of devices that are not admitted. Try again.'))
          }
        },
      }
    },
  }
}

const bound = new WeakMap<object, Account>()

/** Says which account a connection has, for all streams on it. */
export function bindAccount(connection: object, account: Account): void {
  bound.set(connection, account)
}

/** The account of a connection; undefined where nobody counts, in a bare node say. */
export function accountOf(connection: object): Account | undefined {
  return bound.get(connection)
}

/** Whoever floods is cut. */
interface Sender {
  abort(reason: Error): void
}

const paid = new WeakSet<object>()

/**
 * Charges a stream that the other device of a connection opened, once. Who floods is cut, false: what waits was taken
 * in all the same, and in a page each takes time of the thread that draws.
 */
export function payForStream(account: Account, connection: Sender, stream: object): boolean {
  if (paid.has(stream)) return true
  paid.add(stream)
  return payForArrival(account, connection, { streams: 1, workMs: STREAM_WORK_MS })
}

/** Charges a message of WebRTC, by its length, and cuts who floods, as {@link payForStream}. */
export function payForMessage(account: Account, connection: Sender, sizeBytes: number): boolean {
  return payForArrival(account, connection, { messages: Math.max(1, sizeBytes / MESSAGE_BYTES) })
}

function payForArrival(account: Account, connection: Sender, spending: Spending): boolean {
  account.charge(spending)
  if (account.arrivalsOwedMs() <= ARRIVALS_OWED_MAX_MS) return true
  connection.abort(new MeshError('busy', 'This device sends much faster than its role may.'))
  return false
}
