import {
  asMeshError,
  isMeshError,
  KEYS_AGAIN_FIRST_MS,
  KEYS_AGAIN_MAX_MS,
  KEYS_ANSWER_EVERY_MS,
  KEYS_ANSWERS_MAX,
  KEYS_ASKED_AT_ONCE,
  KEYS_PER_ASK_MAX,
  MeshError,
  type Clock,
  type DeviceId,
  type EntryHash,
  type Logger,
} from './base/index.ts'
import { audienceOf, scopeId, type Membership, type ScopeId } from './identity/index.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import { askForKeys, type KeysHost, type Links } from './net/index.ts'

interface AskingPorts {
  readonly membership: Membership
  readonly epochs: KeptEpochs
  readonly links: Links
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Fetches keys that this device was given and cannot open from whoever else holds them.
 * The ledger says that a key was given; whether the box opens only its receiver knows. So
 * who withholds a key by a false box withholds it only until another holder is linked, and
 * neither a false giver nor a lying receiver makes the ledger grow.
 */
export interface KeyAsking {
  /** The side that gives, for the protocol. */
  readonly host: KeysHost
  start(): void
  stop(): Promise<void>
}

/** When a device was last asked, for what, and how often. */
interface Asked {
  readonly what: string
  readonly at: number
  readonly pauseMs: number
  readonly round: number
}

/** Asks whenever a key is missing and somebody who may hold it is linked. */
export function createKeyAsking({ membership, epochs, links, clock, log }: AskingPorts): KeyAsking {
  const stopped = new AbortController()
  const { signal } = stopped
  const asked = new Map<string, Asked>()
  /** Questions under way, by scope and device. */
  const running = new Map<string, Promise<void>>()
  let cancelNext: (() => void) | undefined
  let ends: readonly (() => void)[] = []

  const askOne = async (peer: DeviceId, scope: ScopeId, wanted: readonly EntryHash[]): Promise<void> => {
    try {
      const question = { scope, epochs: wanted }
      const given = await askForKeys(links.connection(peer), question, { clock }, { signal })
      if (given.epochs.length === 0) return
      const count = await epochs.take(scope, given, { signal })
      if (count === 0) log.warn('a device gave keys that are not the ones asked for', { peer, scope })
    } catch (error) {
      const { code, message } = asMeshError(error)
      if (!isMeshError(error, 'aborted')) log.debug('a device gave no keys', { peer, scope, code, message })
    }
  }

  /** Asks devices that may hold the scope's keys, are linked, and whose turn it is. @returns ms until the next turn */
  const askFor = (scope: ScopeId, missing: readonly EntryHash[]): number => {
    const now = clock.monotonic()
    const what = missing.join()
    let nextInMs = KEYS_AGAIN_MAX_MS
    for (const peer of audienceOf(membership.state(), scope).devices) {
      if (peer === membership.self || links.view(peer).state !== 'online') continue
      const place = `${scope} ${peer}`
      const last = asked.get(place)
      const isSame = last?.what === what
      const waitMs = last === undefined ? 0 : last.at + (isSame ? last.pauseMs : KEYS_AGAIN_FIRST_MS) - now
      if (waitMs > 0 || running.has(place) || running.size >= KEYS_ASKED_AT_ONCE) {
        nextInMs = Math.min(nextInMs, Math.max(waitMs, KEYS_AGAIN_FIRST_MS))
        continue
      }
      const pauseMs = isSame ? Math.min(last.pauseMs * 2, KEYS_AGAIN_MAX_MS) : KEYS_AGAIN_FIRST_MS
      const round = (last?.round ?? -1) + 1
      asked.set(place, { what, at: now, pauseMs, round })
      nextInMs = Math.min(nextInMs, pauseMs)
      // keys that nobody has must not stand before those that somebody has
      const start =
        (round * KEYS_PER_ASK_MAX) % Math.max(1, Math.ceil(missing.length / KEYS_PER_ASK_MAX) * KEYS_PER_ASK_MAX)
      const asking = askOne(peer, scope, missing.slice(start, start + KEYS_PER_ASK_MAX)).finally(() => {
        running.delete(place)
      })
      // not waited for: one that holds its answer back delays no other
      running.set(place, asking)
    }
    return nextInMs
  }

  const look = (): void => {
    if (signal.aborted) return
    cancelNext?.()
    cancelNext = undefined
    const missing = epochs.missing()
    if (missing.size === 0) asked.clear()
    let nextInMs: number | undefined
    for (const [scope, ids] of missing) nextInMs = Math.min(nextInMs ?? KEYS_AGAIN_MAX_MS, askFor(scope, ids))
    if (nextInMs !== undefined) cancelNext = clock.schedule(nextInMs, look)
  }

  const isInTime = createAllowance(clock)

  return {
    host: {
      async give(to, scope, wanted) {
        const known = scopeId.safeParse(scope)
        if (!known.success) throw new MeshError('malformed', 'This is no scope.', { fault: 'peer' })
        if (!isInTime(to)) throw new MeshError('busy', 'This device was asked for keys too often; ask again later.')
        return epochs.give(known.data, to, wanted)
      },
    },
    start() {
      ends = [membership.changes, epochs.changes, links.changes].map((source) => source.subscribe(look))
      look()
    },
    async stop() {
      for (const end of ends) end()
      cancelNext?.()
      stopped.abort(new MeshError('aborted', 'Stopped.'))
      await Promise.all(running.values())
    },
  }
}

/** So many answers to each device at once, then one in a while. */
function createAllowance(clock: Clock): (device: DeviceId) => boolean {
  const used = new Map<DeviceId, { readonly count: number; readonly at: number }>()
  return (device) => {
    const now = clock.monotonic()
    const last = used.get(device)
    const left = last === undefined ? 0 : Math.max(0, last.count - (now - last.at) / KEYS_ANSWER_EVERY_MS)
    if (left + 1 > KEYS_ANSWERS_MAX) return false
    used.set(device, { count: left + 1, at: now })
    return true
  }
}
