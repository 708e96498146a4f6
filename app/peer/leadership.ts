import * as z from 'zod/mini'
import {
  abortReason,
  createEvents,
  isAbort,
  MeshError,
  sleep,
  sortableId,
  type Clock,
  type EventSource,
  type Logger,
  type Random,
} from '../../mesh/base/index.ts'

/** How often the leading tab says that it leads, in ms. */
export const BEAT_MS = 1_000
/** Silence after which a follower asks, and after which it calls an unanswered leader silent, in ms. */
export const SILENCE_MS = 3_000
/** How long a leader asked to release may take before the peer is taken from it, in ms. */
export const STEAL_AFTER_MS = 3_000
/** How long the other followers stand aside while the peer moves, in ms: longer than it takes to steal. */
const STAND_ASIDE_MS = STEAL_AFTER_MS + 1_000
/** How long a leader that lets go may take to write down and say goodbye, in ms: shorter than {@link STEAL_AFTER_MS}. */
const RELEASE_WITHIN_MS = 2_500

/** How a lock is asked for: wait in line, only when free, or from whoever holds it. */
export type LockMode = 'wait' | 'if-free' | 'steal'

/** Port: one exclusive lock of this browser profile. */
export interface LockPort {
  /**
   * Holds the lock while `hold` runs. Resolves to false when it was not free, and to
   * true after it was released or lost; `lost` aborts the moment another tab stole it.
   * @throws MeshError `aborted` when the signal ends the wait.
   */
  request(
    mode: LockMode,
    options: { readonly signal: AbortSignal | undefined },
    hold: (lost: AbortSignal) => Promise<void>,
  ): Promise<boolean>
}

/** Port: what the tabs of this profile say to each other. A tab does not hear itself. */
export interface ChannelPort {
  post(message: unknown): void
  subscribe(listener: (message: unknown) => void): () => void
}

/** What leadership stands on. */
export interface LeadershipPorts {
  readonly locks: LockPort
  readonly channel: ChannelPort
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The highest epoch written down; 0 when there is none. */
  readEpoch(): Promise<number>
  writeEpoch(epoch: number): Promise<void>
}

/** What the holder of the peer does at the two ends of its term. */
export interface TermHandlers {
  /** This tab leads now. */
  begin(epoch: number): void
  /** It leads no longer. `released`: write down and say goodbye first. `fenced`: another leads already, stop at once. */
  end(reason: 'released' | 'fenced'): Promise<void>
}

/** Where this tab stands. */
export interface LeadershipState {
  readonly role: 'starting' | 'leader' | 'follower' | 'moving'
  /** The epoch of the tab that leads, as far as it is known here. */
  readonly epoch: number
  /** The tab that leads in this epoch, this one or another; undefined while it is not known. */
  readonly leader: string | undefined
  readonly leaderSilent: boolean
}

/** Decides which tab of a profile holds the peer. */
export interface Leadership {
  /** The name of this tab among the others. */
  readonly self: string
  readonly changes: EventSource<void>
  state(): LeadershipState
  /** True while this tab leads and is not about to let go. */
  leads(): boolean
  /**
   * Whether this tab may write for the profile: it leads, or writes down its last words
   * before it lets go. One that may have slept looks at the written epoch first.
   */
  mayWrite(): Promise<boolean>
  /** Moves the peer here. @throws MeshError `conflict` when another tab asked later, `aborted`. */
  takeOver(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  close(): Promise<void>
}

const tab = z.string().check(z.maxLength(64))
const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('leading'), tab, epoch: z.int().check(z.minimum(0)) }),
  z.object({ type: z.literal('ping'), tab }),
  z.object({ type: z.literal('release'), tab, request: z.string().check(z.maxLength(64)) }),
])
type Message = z.infer<typeof messageSchema>

interface Term {
  readonly epoch: number
  /** Ends the holding of the lock. */
  readonly letGo: () => void
  ending: Promise<void> | undefined
  fenced: boolean
}

interface Move {
  readonly request: string
  readonly done: PromiseWithResolvers<void>
}

/**
 * One leader per profile: a lock says who, an epoch that only grows tells a leader
 * that slept that it is not one any more, and a beat tells the others that it lives.
 * When the leader's tab closes, the next in line leads.
 */
export function createLeadership(ports: LeadershipPorts, handlers: TermHandlers): Leadership {
  const { locks, channel, clock, random } = ports
  const log = ports.log.child('leadership')
  const self = sortableId(clock.now(), random)
  const closing = new AbortController()
  const changes = createEvents<void>((error) => {
    log.error('a listener failed', { error })
  })

  let role: LeadershipState['role'] = 'starting'
  let epoch = 0
  let leader: string | undefined
  /** When this tab last was surely awake: nobody steals from a tab that was so within {@link STEAL_AFTER_MS}. */
  let awakeAtMs = clock.monotonic()
  let term: Term | undefined
  let move: Move | undefined
  let line: AbortController | undefined
  let heardAtMs = clock.monotonic()
  let askedAtMs: number | undefined
  let leaderSilent = false
  let cancelBeat: (() => void) | undefined
  let cancelAside: (() => void) | undefined

  const post = (message: Message): void => {
    channel.post(message)
  }
  const become = (next: LeadershipState['role']): void => {
    role = next
    if (next === 'leader') leaderSilent = false
    changes.emit()
  }

  // ---- the lock ----

  const hold = async (lost: AbortSignal): Promise<void> => {
    const next = await nextEpoch(lost)
    // the lock is had anew, so the term before it was lost without a word
    if (term !== undefined) await endTerm(term, 'fenced')
    if (closing.signal.aborted) return
    if (lost.aborted) {
      // taken away before it began: a frozen tab wakes to this
      if (role === 'starting') become('follower')
      standInLine()
      return
    }
    leaveLine()
    const released = Promise.withResolvers<void>()
    const own: Term = {
      epoch: next,
      letGo: () => {
        released.resolve()
      },
      ending: undefined,
      fenced: false,
    }
    term = own
    epoch = next
    leader = self
    awakeAtMs = clock.monotonic()
    lost.addEventListener(
      'abort',
      () => {
        void endTerm(own, 'fenced')
      },
      { once: true },
    )
    log.info('this tab leads', { epoch: next })
    become('leader')
    // first, so that whoever hears of it finds somebody at work
    handlers.begin(next)
    post({ type: 'leading', tab: self, epoch: next })
    move?.done.resolve()
    move = undefined
    await released.promise
  }

  const nextEpoch = async (lost: AbortSignal): Promise<number> => {
    let stored = 0
    try {
      stored = await ports.readEpoch()
    } catch (error) {
      log.warn('the last epoch could not be read', { error })
    }
    const next = Math.max(stored, epoch) + 1
    // a lock that was taken away already begins no term: its number would fence the one who leads
    if (lost.aborted) return next
    try {
      await ports.writeEpoch(next)
    } catch (error) {
      // the lock still says who leads; the epoch only helps a tab that slept
      log.warn('the epoch could not be written down', { error })
    }
    return next
  }

  const endTerm = async (own: Term, reason: 'released' | 'fenced'): Promise<void> => {
    if (reason === 'fenced') own.fenced = true
    own.ending ??= finishTerm(own, reason)
    await own.ending
  }

  const finishTerm = async (own: Term, reason: 'released' | 'fenced'): Promise<void> => {
    log.info('this tab leads no longer', { epoch: own.epoch, reason })
    const ended = handlers.end(reason).catch((error: unknown) => {
      log.error('the peer did not stop cleanly', { error })
    })
    const limit = new AbortController()
    const late = sleep(clock, RELEASE_WITHIN_MS, { signal: limit.signal }).catch(() => undefined)
    await Promise.race([ended, late])
    limit.abort()
    if (term === own) term = undefined
    own.letGo()
    if (leader === self) leader = undefined
    heardAtMs = clock.monotonic()
    if (closing.signal.aborted || term !== undefined) return
    become('follower')
    if (reason === 'fenced') standInLine()
    else standAside()
  }

  const mayWrite = async (): Promise<boolean> => {
    const own = term
    const leads = (): boolean => own !== undefined && term === own && !own.fenced
    if (own === undefined || !leads()) return false
    if (clock.monotonic() - awakeAtMs < STEAL_AFTER_MS) return true
    // a browser that lets a frozen tab go on may tell it last of all that its lock was taken
    const written = await ports.readEpoch()
    if (!leads()) return false
    if (written <= own.epoch) {
      awakeAtMs = clock.monotonic()
      return true
    }
    void endTerm(own, 'fenced')
    return false
  }

  /** Waits for its turn behind the leader. */
  const standInLine = (): void => {
    if (line !== undefined || term !== undefined || closing.signal.aborted) return
    cancelAside?.()
    cancelAside = undefined
    const own = new AbortController()
    line = own
    locks
      .request('wait', { signal: own.signal }, (lost) => {
        line = undefined
        return hold(lost)
      })
      .catch((error: unknown) => {
        if (line === own) line = undefined
        if (!isAbort(error)) log.error('the lock could not be asked for', { error })
      })
  }

  const leaveLine = (): void => {
    line?.abort()
    line = undefined
  }

  /** Lets a tab that was asked for by its person go first. */
  const standAside = (): void => {
    leaveLine()
    cancelAside?.()
    cancelAside = clock.schedule(STAND_ASIDE_MS, standInLine)
  }

  const steal = (): void => {
    log.warn('the leading tab did not let go; the peer is taken from it')
    leaveLine()
    locks.request('steal', { signal: undefined }, hold).catch((error: unknown) => {
      move?.done.reject(error)
      move = undefined
      if (role === 'moving') become('follower')
      log.error('the lock could not be taken', { error })
    })
  }

  // ---- what the others say ----

  const onMessage = (raw: unknown): void => {
    const parsed = z.safeParse(messageSchema, raw)
    if (!parsed.success || parsed.data.tab === self) return
    const message = parsed.data
    switch (message.type) {
      case 'leading':
        onLeading(message.tab, message.epoch)
        return
      case 'ping':
        if (term !== undefined) post({ type: 'leading', tab: self, epoch: term.epoch })
        return
      case 'release':
        onRelease(message.request)
        return
    }
  }

  const onLeading = (other: string, otherEpoch: number): void => {
    const known = epoch
    const before = leader
    heardAtMs = clock.monotonic()
    askedAtMs = undefined
    epoch = Math.max(epoch, otherEpoch)
    if (term === undefined && otherEpoch === epoch) leader = other
    if (leaderSilent || leader !== before || epoch !== known) {
      leaderSilent = false
      changes.emit()
    }
    if (term === undefined) {
      if (otherEpoch > known && cancelAside !== undefined) standInLine()
      return
    }
    // a tab that slept through its own replacement learns of it here at the latest
    const isOlder = otherEpoch > term.epoch || (otherEpoch === term.epoch && other > self)
    if (isOlder) void endTerm(term, 'fenced')
    else post({ type: 'leading', tab: self, epoch: term.epoch })
  }

  const onRelease = (request: string): void => {
    if (term !== undefined) {
      void endTerm(term, 'released')
      return
    }
    if (move === undefined) {
      standAside()
      return
    }
    // two tabs were asked for at once: the later tap wins
    if (request < move.request) return
    move.done.reject(new MeshError('conflict', 'Another tab was asked for after this one; it has the peer now.'))
    move = undefined
    standAside()
    become('follower')
  }

  const beat = (): void => {
    cancelBeat = clock.schedule(BEAT_MS, beat)
    if (term !== undefined) {
      if (clock.monotonic() - awakeAtMs < STEAL_AFTER_MS) awakeAtMs = clock.monotonic()
      post({ type: 'leading', tab: self, epoch: term.epoch })
      return
    }
    if (role !== 'follower') return
    const now = clock.monotonic()
    if (now - heardAtMs < SILENCE_MS) return
    if (askedAtMs === undefined) {
      // a hidden leader may beat once a minute only; a question reaches it all the same
      askedAtMs = now
      post({ type: 'ping', tab: self })
    } else if (now - askedAtMs >= SILENCE_MS && !leaderSilent) {
      leaderSilent = true
      changes.emit()
    }
  }

  const campaign = async (): Promise<void> => {
    const signal = closing.signal
    const led = await locks.request('if-free', { signal: undefined }, hold)
    if (led || signal.aborted || term !== undefined) return
    become('follower')
    post({ type: 'ping', tab: self })
    standInLine()
  }

  const unsubscribe = channel.subscribe(onMessage)
  campaign().catch((error: unknown) => {
    log.error('the lock could not be asked for', { error })
    become('follower')
    standInLine()
  })
  beat()

  return {
    self,
    changes,
    state: () => ({ role, epoch, leader, leaderSilent }),
    leads: () => term !== undefined && term.ending === undefined,
    mayWrite,
    async takeOver({ signal } = {}) {
      if (term !== undefined && term.ending === undefined) return
      if (signal?.aborted === true) throw abortReason(signal)
      if (move === undefined) {
        const request = sortableId(clock.now(), random)
        const own: Move = { request, done: Promise.withResolvers() }
        move = own
        become('moving')
        post({ type: 'release', tab: self, request })
        standInLine()
        const cancelSteal = clock.schedule(STEAL_AFTER_MS, steal)
        const forget = (): void => {
          cancelSteal()
        }
        own.done.promise.then(forget, forget)
      }
      const current = move
      const onAbort = (): void => {
        current.done.reject(abortReason(signal))
        if (move !== current) return
        move = undefined
        become('follower')
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        await current.done.promise
      } finally {
        signal?.removeEventListener('abort', onAbort)
      }
    },
    async close() {
      closing.abort()
      cancelBeat?.()
      cancelAside?.()
      leaveLine()
      unsubscribe()
      move?.done.reject(new MeshError('aborted', 'Stopped.'))
      move = undefined
      if (term !== undefined) await endTerm(term, 'released')
    },
  }
}
