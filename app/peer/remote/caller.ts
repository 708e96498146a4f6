import * as z from 'zod/mini'
import {
  abortReason,
  createQueue,
  errorFromWire,
  MeshError,
  type AsyncQueue,
  type Clock,
  type Logger,
} from '../../../mesh/base/index.ts'
import { CALLS_MAX, STREAM_CREDIT, STREAM_GRANT, TAKEN_WITHIN_MS } from './limits.ts'
import { replySchema, type Reply, type Request } from './messages.ts'
import { movedError } from './moved.ts'
import type { AnyEntry, Schema } from './shape.ts'

/** The tab that leads, and its term. */
export interface Leader {
  readonly tab: string
  readonly epoch: number
}

/** What calling the leading tab stands on. */
export interface CallerPorts {
  readonly clock: Clock
  readonly log: Logger
  readonly self: string
  post(message: Request): void
  /** A call stayed untaken: the tab that leads does not live, or is not let live. */
  onSilence(): void
}

/** Calls what the leading tab serves. */
export interface Caller {
  /** The name of this tab. */
  readonly self: string
  /** A call or post. @throws MeshError of the facade; `peer-gone` (see `isMoved`) when another tab leads meanwhile. */
  call(name: string, entry: AnyEntry, given: readonly unknown[]): Promise<unknown>
  /** A stream. Leaving the loop cancels it. @throws as {@link Caller.call}. */
  stream(name: string, entry: AnyEntry, given: readonly unknown[]): AsyncIterable<unknown>
  /** Which tab is called from now on; what is open with another fails as moved. */
  leaderIs(leader: Leader | undefined): void
  /** Fails what is open as moved: the tab that leads is silent. */
  giveUp(): void
  /** True while somebody waits for the tab that leads. */
  readonly waits: boolean
  hear(message: unknown): void
}

interface Open {
  readonly entry: AnyEntry
  readonly taps: Readonly<Record<string, (value: unknown) => void>>
  taken: () => void
  item: (value: unknown) => void
  done: (value: unknown) => void
  fail: (error: MeshError) => void
}

interface Split {
  readonly args: unknown[]
  readonly options: unknown
  readonly taps: Readonly<Record<string, (value: unknown) => void>>
  readonly signal: AbortSignal | undefined
}

/** Makes a caller that knows no leader yet. */
export function createCaller(ports: CallerPorts): Caller {
  const { clock, log, self } = ports
  const open = new Map<number, Open>()
  let leader: Leader | undefined
  let nextId = 1

  const send = (to: Leader, entry: AnyEntry, name: string, split: Split, more: Partial<Open>): number => {
    if (open.size >= CALLS_MAX) throw new MeshError('busy', 'Too much is on its way already. Wait a moment.')
    const id = nextId++
    const nothing = (): void => undefined
    const own: Open = { entry, taps: split.taps, taken: nothing, item: nothing, done: nothing, fail: nothing, ...more }
    open.set(id, own)
    const { args, options, taps } = split
    const takenBy = clock.now() + TAKEN_WITHIN_MS
    own.taken = watchTaken()
    try {
      const body = { name, args, options, taps: Object.keys(taps), takenBy }
      ports.post({ type: 'call', from: self, to: to.tab, epoch: to.epoch, id, ...body })
    } catch (error) {
      finish(id)
      throw new MeshError('bug', 'This cannot be handed to another tab.', { cause: error })
    }
    return id
  }

  /** Tells when the call is not taken in time; the returned function says that it was. */
  const watchTaken = (): (() => void) => {
    const sentAtMs = clock.monotonic()
    let cancel = (): void => undefined
    const look = (): void => {
      // this tab slept itself: what came meanwhile is heard first
      const slept = clock.monotonic() - sentAtMs > 2 * TAKEN_WITHIN_MS
      if (slept) cancel = clock.schedule(TAKEN_WITHIN_MS, silent)
      else silent()
    }
    const silent = (): void => {
      log.warn('the tab that leads did not take a call')
      giveUp()
      ports.onSilence()
    }
    cancel = clock.schedule(TAKEN_WITHIN_MS, look)
    return () => {
      cancel()
    }
  }

  const finish = (id: number): Open | undefined => {
    const own = open.get(id)
    open.delete(id)
    own?.taken()
    return own
  }

  const giveUp = (): void => {
    for (const id of [...open.keys()]) finish(id)?.fail(movedError())
  }

  const cancelFor = (to: Leader, id: number): void => {
    if (finish(id) !== undefined) ports.post({ type: 'cancel', from: self, to: to.tab, epoch: to.epoch, id })
  }

  const needLeader = (signal: AbortSignal | undefined): Leader => {
    if (signal?.aborted === true) throw abortReason(signal)
    if (leader === undefined) throw movedError()
    return leader
  }

  const hearReply = (reply: Reply): void => {
    const own = open.get(reply.id)
    if (own === undefined) return
    switch (reply.type) {
      case 'taken':
        own.taken()
        return
      case 'tap': {
        const schema = own.entry.taps?.[reply.name]
        const value = schema && z.safeParse(schema, reply.value)
        if (value?.success === true) own.taps[reply.name]?.(value.data)
        return
      }
      case 'item':
        own.item(reply.value)
        return
      case 'done':
        finish(reply.id)?.done(reply.value)
        return
      case 'failed':
        finish(reply.id)?.fail(errorFromWire(reply.error))
        return
    }
  }

  const call = async (name: string, entry: AnyEntry, given: readonly unknown[]): Promise<unknown> => {
    const split = splitGiven(entry, given)
    const to = needLeader(split.signal)
    const result = Promise.withResolvers<unknown>()
    const id = send(to, entry, name, split, { done: result.resolve, fail: result.reject })
    const onAbort = (): void => {
      cancelFor(to, id)
      result.reject(abortReason(split.signal))
    }
    split.signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const value = await result.promise
      return entry.value === undefined ? undefined : read(entry.value, value)
    } finally {
      split.signal?.removeEventListener('abort', onAbort)
    }
  }

  async function* stream(name: string, entry: AnyEntry, given: readonly unknown[]): AsyncGenerator {
    const split = splitGiven(entry, given)
    const to = needLeader(split.signal)
    const items = createQueue<{ readonly value: unknown }>(STREAM_CREDIT)
    const id = send(to, entry, name, split, {
      item: (value) => {
        // more than was granted: that tab does not keep to its word
        if (!items.push({ value }))
          items.fail(new MeshError('malformed', 'The leading tab sent more than was asked for.'))
      },
      done: () => {
        items.end()
      },
      fail: (error) => {
        items.fail(error)
      },
    })
    try {
      yield* readStream(items, entry, split.signal, (count) => {
        ports.post({ type: 'grant', from: self, to: to.tab, epoch: to.epoch, id, count })
      })
    } finally {
      cancelFor(to, id)
    }
  }

  return {
    self,
    call,
    stream,
    giveUp,
    get waits() {
      return open.size > 0
    },
    leaderIs(next) {
      if (next?.tab === leader?.tab && next?.epoch === leader?.epoch) return
      leader = next
      giveUp()
    },
    hear(message) {
      const parsed = z.safeParse(replySchema, message)
      if (!parsed.success) return
      const { to, from, epoch } = parsed.data
      if (to === self && from === leader?.tab && epoch === leader.epoch) hearReply(parsed.data)
    },
  }
}

async function* readStream(
  items: AsyncQueue<{ readonly value: unknown }>,
  entry: AnyEntry,
  signal: AbortSignal | undefined,
  grant: (count: number) => void,
): AsyncGenerator {
  let taken = 0
  for (;;) {
    const item = await items.next({ signal })
    if (item === undefined) return
    taken += 1
    if (taken === STREAM_GRANT) {
      grant(taken)
      taken = 0
    }
    yield entry.value === undefined ? undefined : read(entry.value, item.value)
  }
}

/** What crosses of the arguments: plain data, checked here first so that the fault is found where it was made. */
function splitGiven(entry: AnyEntry, given: readonly unknown[]): Split {
  const schemas = entry.args ?? []
  const args = schemas.map((schema, index) => read(schema, given[index]))
  const options = (given[schemas.length] ?? {}) as Record<string, unknown> & { readonly signal?: AbortSignal }
  const taps = Object.keys(entry.taps ?? {}).flatMap((name) => {
    const tap = options[name]
    return typeof tap === 'function' ? [[name, tap as (value: unknown) => void] as const] : []
  })
  return {
    args,
    options: entry.options === undefined ? undefined : read(entry.options, options),
    taps: Object.fromEntries(taps),
    signal: options.signal,
  }
}

function read(schema: Schema<unknown>, value: unknown): unknown {
  const parsed = z.safeParse(schema, value)
  if (parsed.success) return parsed.data
  const place = parsed.error.issues[0]?.path.map(String).join('.') ?? ''
  throw new MeshError('unsupported', 'The tabs of this browser do not understand each other. Reload both.', {
    detail: { field: place },
  })
}
