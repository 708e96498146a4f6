import type { ChannelPort, LockMode, LockPort } from '../../../app/peer/leadership.ts'
import { MeshError, type Clock, type Store } from '../../../mesh/base/index.ts'
import { settle, type VirtualClock } from '../../kit/clock.ts'

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
  /** The disk as this tab has it: what was begun is done, but a frozen tab hears of it later and a dead one never. */
  disk(store: Store): Store
  /** Dies at its n-th call of the disk from now: before the write is done, or right after it. */
  dieAtCall(call: number, when: 'before' | 'after'): void
  /** Timers, messages, the disk and the news of a lost lock wait until it is thawed. */
  freeze(): void
  /** What waited comes in its order, each as a task of its own; resolves when all of it came. */
  thaw(): Promise<void>
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
    const held: (() => void)[] = []
    let thawing = false
    let callsToLive = Infinity
    let dieWhen: 'before' | 'after' = 'before'
    let release: (() => void) | undefined
    const gate = (work: () => void): void => {
      if (dead) return
      if (frozen || thawing) held.push(work)
      else work()
    }
    const letOut = async (): Promise<void> => {
      while (!frozen) {
        const work = held.shift()
        if (work === undefined) break
        if (!dead) work()
        await settle(1)
      }
      thawing = false
    }
    const onDisk = <Value>(call: () => Promise<Value>): Promise<Value> =>
      new Promise((resolve, reject) => {
        if (dead) return
        callsToLive -= 1
        if (callsToLive === 0 && dieWhen === 'before') {
          tab.kill()
          return
        }
        const isLast = callsToLive === 0
        const told = (tell: () => void): void => {
          if (isLast) tab.kill()
          gate(tell)
        }
        call().then(
          (value) => {
            told(() => {
              resolve(value)
            })
          },
          (error: unknown) => {
            told(() => {
              reject(error)
            })
          },
        )
      })

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
        schedule(delayMs, callback) {
          let cancelled = false
          const cancel = clock.schedule(delayMs, () => {
            gate(() => {
              if (!cancelled) callback()
            })
          })
          return () => {
            cancelled = true
            cancel()
          }
        },
      },
      disk: (store) => ({
        get: (...given) => onDisk(() => store.get(...given)),
        put: (...given) => onDisk(() => store.put(...given)),
        delete: (...given) => onDisk(() => store.delete(...given)),
        list: (...given) => onDisk(() => store.list(...given)),
        append: (...given) => onDisk(() => store.append(...given)),
        readLog: (...given) => onDisk(() => store.readLog(...given)),
        dropLog: (...given) => onDisk(() => store.dropLog(...given)),
        close: () => onDisk(() => store.close()),
      }),
      dieAtCall(call, when) {
        callsToLive = call
        dieWhen = when
      },
      freeze() {
        frozen = true
      },
      thaw() {
        frozen = false
        if (thawing) return Promise.resolve()
        thawing = true
        return letOut()
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
