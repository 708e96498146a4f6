import type { ChannelPort, LockMode, LockPort } from '../../../app/peer/leadership.ts'
import { MeshError, type Clock } from '../../../mesh/base/index.ts'
import type { VirtualClock } from '../../kit/clock.ts'

interface Waiting {
  readonly grant: () => void
}

/** What the tabs of one browser profile share: a lock and a channel. A tab can be frozen, as a browser freezes hidden ones. */
export interface Profile {
  openTab(): Tab
}

/** One tab: its ports, and what a browser does to it. */
export interface Tab {
  readonly locks: LockPort
  readonly channel: ChannelPort
  readonly clock: Clock
  /** Timers, messages and the news of a lost lock wait until it is thawed. */
  freeze(): void
  thaw(): void
  /** The tab dies without a word: its lock is free, nothing of it runs any more. */
  kill(): void
  /** False once killed: what of its code still runs in the test would not in a browser. */
  alive(): boolean
}

/** A profile whose tabs live in virtual time. */
export function createProfile(clock: VirtualClock): Profile {
  const line: Waiting[] = []
  let holder: { readonly lose: () => void } | undefined
  const listeners = new Map<Tab, Set<(message: unknown) => void>>()
  const gates = new Map<Tab, (work: () => void) => void>()

  const next = (): void => {
    holder = undefined
    line.shift()?.grant()
  }

  const openTab = (): Tab => {
    let frozen = false
    let dead = false
    let held: (() => void)[] = []
    let release: (() => void) | undefined
    const gate = (work: () => void): void => {
      if (dead) return
      if (frozen) held.push(work)
      else work()
    }

    const take = (hold: (lost: AbortSignal) => Promise<void>): Promise<void> => {
      const lost = new AbortController()
      const own = {
        lose: () => {
          gate(() => {
            lost.abort()
          })
        },
      }
      holder = own
      const free = (): void => {
        if (holder === own) next()
      }
      release = free
      // the dead hold nothing
      if (dead) {
        free()
        return Promise.resolve()
      }
      const done = Promise.withResolvers<void>()
      gate(() => {
        hold(lost.signal).then(done.resolve, done.reject)
      })
      return done.promise.finally(free)
    }

    const request = async (
      mode: LockMode,
      signal: AbortSignal | undefined,
      hold: (lost: AbortSignal) => Promise<void>,
    ): Promise<boolean> => {
      await Promise.resolve()
      if (dead) return new Promise(() => undefined)
      if (mode === 'steal') {
        holder?.lose()
        await take(hold)
        return true
      }
      if (holder !== undefined && mode === 'if-free') return false
      if (holder === undefined) {
        await take(hold)
        return true
      }
      const turn = Promise.withResolvers<void>()
      const own: Waiting = {
        grant: () => {
          take(hold).then(turn.resolve, turn.reject)
        },
      }
      line.push(own)
      signal?.addEventListener('abort', () => {
        const index = line.indexOf(own)
        if (index < 0) return
        line.splice(index, 1)
        turn.reject(new MeshError('aborted', 'Stopped.'))
      })
      await turn.promise
      return true
    }

    const tab: Tab = {
      locks: { request: (mode, { signal }, hold) => request(mode, signal, hold) },
      channel: {
        post(message) {
          if (dead) return
          for (const [other, each] of listeners) {
            if (other === tab) continue
            gates.get(other)?.(() => {
              for (const listener of [...each]) listener(structuredClone(message))
            })
          }
        },
        subscribe(listener) {
          const own = listeners.get(tab) ?? new Set()
          listeners.set(tab, own)
          own.add(listener)
          return () => own.delete(listener)
        },
      },
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        schedule: (delayMs, callback) =>
          clock.schedule(delayMs, () => {
            gate(callback)
          }),
      },
      freeze() {
        frozen = true
      },
      thaw() {
        frozen = false
        const late = held
        held = []
        for (const work of late) gate(work)
      },
      kill() {
        dead = true
        release?.()
      },
      alive: () => !dead,
    }
    gates.set(tab, gate)
    return tab
  }
  return { openTab }
}
