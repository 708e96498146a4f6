import * as z from 'zod/mini'
import {
  abortReason,
  asMeshError,
  errorToWire,
  isAbort,
  MeshError,
  type Clock,
  type Logger,
} from '../../../mesh/base/index.ts'
import type { RoomWants } from '../rooms-port.ts'
import { CALLS_MAX, STREAM_CREDIT, STREAM_IDLE_MS } from './limits.ts'
import { requestSchema, type CallRequest, type Reply, type Request } from './messages.ts'
import { isMoved } from './moved.ts'
import { entryOf, type AnyEntry, type AnyShape, type Schema } from './shape.ts'

/** A facade that other tabs may use, and the shape that says how. */
export interface Served {
  readonly shape: AnyShape
  /** Undefined while it is not there. */
  facade(): object | undefined
}

/** What serving other tabs stands on. */
export interface ServerPorts {
  readonly clock: Clock
  readonly log: Logger
  /** This tab, and the term it leads. */
  readonly self: string
  readonly epoch: number
  post(message: Reply): void
  /** By the first part of a call's name: `mesh.rename`. */
  readonly served: Readonly<Record<string, Served>>
  /** Resolves when this term may begin its work: what the last one left is in order. */
  readonly ready: Promise<void>
  /** A tab wants to be told everything. */
  onAttach(tab: string): void
  /** A tab has these rooms open now. */
  onWants?(tab: string, wants: RoomWants): void
  /** Called before a result leaves, so that what it changed was told before. */
  beforeReply(): void
}

/** Serves the other tabs for one term. */
export interface Server {
  /** Takes a message of the channel; what is not for this term is left alone. */
  hear(message: unknown): void
  /** Ends everything that is open. Nothing is answered any more. */
  close(): void
}

interface Open {
  readonly controller: AbortController
  credit: number
  wake: () => void
}

type Outcome = Extract<Reply, { type: 'done' | 'failed' }>
type Body<Message> = Message extends unknown ? Omit<Message, 'from' | 'to' | 'epoch'> : never

/** Begins to serve. A result is told only after the facade resolved, so what is acknowledged is durable. */
export function createServer(ports: ServerPorts): Server {
  const { clock, log } = ports
  const open = new Map<string, Open>()
  let closed = false

  const reply = (to: string, body: Body<Reply>): void => {
    if (!closed) ports.post({ from: ports.self, to, epoch: ports.epoch, ...body })
  }

  const take = (call: CallRequest): void => {
    // it lay in a sleeping tab: whoever sent it went elsewhere long ago
    if (clock.now() > call.takenBy) return
    const place = placeOf(call)
    if (open.has(place)) return
    reply(call.from, { type: 'taken', id: call.id })
    const own: Open = { controller: new AbortController(), credit: STREAM_CREDIT, wake: () => undefined }
    if (countOf(call.from) >= CALLS_MAX) {
      const error = new MeshError('busy', `This tab has ${String(CALLS_MAX)} wishes open already.`)
      reply(call.from, { type: 'failed', id: call.id, error: errorToWire(error) })
      return
    }
    open.set(place, own)
    run(call, own)
      .then((outcome) => {
        if (outcome === undefined || closed) return
        ports.beforeReply()
        reply(call.from, outcome)
      })
      .catch((error: unknown) => {
        log.error('a call of another tab could not be answered', { name: call.name, error })
      })
      .finally(() => {
        open.delete(place)
      })
  }

  const countOf = (tab: string): number => [...open.keys()].filter((place) => place.startsWith(`${tab} `)).length

  /** What is to be replied; nothing when the peer moved meanwhile: the tab will ask there. */
  const run = async (call: CallRequest, own: Open): Promise<Body<Outcome> | undefined> => {
    try {
      await ports.ready
      own.controller.signal.throwIfAborted()
      const value = await perform(call, own)
      return { type: 'done', id: call.id, value }
    } catch (error) {
      if (isMoved(error)) return undefined
      if (!isAbort(error)) log.info('a call of another tab failed', { name: call.name, code: asMeshError(error).code })
      return { type: 'failed', id: call.id, error: errorToWire(error) }
    }
  }

  const perform = async (call: CallRequest, own: Open): Promise<unknown> => {
    const [facadeName = '', name = ''] = call.name.split('.')
    const served = Object.hasOwn(ports.served, facadeName) ? ports.served[facadeName] : undefined
    const entry = served && entryOf(served.shape, name)
    if (served === undefined || entry?.args === undefined) {
      throw new MeshError('unsupported', 'The tab that holds the connection does not know this. Reload both tabs.')
    }
    const facade = served.facade()
    if (facade === undefined) throw new MeshError('offline', 'The peer of this browser is still starting.')
    const method = (facade as Record<string, (...given: unknown[]) => unknown>)[name]
    if (method === undefined) throw new MeshError('bug', `The facade has no ${call.name}.`)
    const given = [...readAll(entry.args, call.args), optionsFor(call, entry, own.controller.signal)]
    const result: unknown = method.apply(facade, given)
    if (entry.kind !== 'stream') return result
    await pour(result as AsyncIterable<unknown>, call, own)
    return undefined
  }

  const optionsFor = (call: CallRequest, entry: AnyEntry, signal: AbortSignal): object => {
    const plain = entry.options === undefined ? {} : (read(entry.options, call.options) as object)
    const names = Object.keys(entry.taps ?? {}).filter((name) => call.taps.includes(name))
    const taps = names.map((name) => [
      name,
      (value: unknown) => {
        reply(call.from, { type: 'tap', id: call.id, name, value })
      },
    ])
    return { ...plain, signal, ...(Object.fromEntries(taps) as object) }
  }

  const pour = async (items: AsyncIterable<unknown>, call: CallRequest, own: Open): Promise<void> => {
    for await (const value of items) {
      while (own.credit === 0) await granted(own)
      own.controller.signal.throwIfAborted()
      own.credit -= 1
      reply(call.from, { type: 'item', id: call.id, value })
    }
  }

  const granted = (own: Open): Promise<void> =>
    new Promise((resolve, reject) => {
      const { signal } = own.controller
      const end = (): void => {
        cancel()
        signal.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        end()
        reject(abortReason(signal))
      }
      const cancel = clock.schedule(STREAM_IDLE_MS, () => {
        end()
        reject(new MeshError('timeout', 'The tab that asked does not read any more.'))
      })
      own.wake = () => {
        end()
        resolve()
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })

  const hearRequest = (request: Request): void => {
    switch (request.type) {
      case 'call':
        take(request)
        return
      case 'cancel':
        open.get(placeOf(request))?.controller.abort(new MeshError('aborted', 'Stopped.'))
        return
      case 'grant': {
        const own = open.get(placeOf(request))
        if (own === undefined) return
        own.credit = Math.min(STREAM_CREDIT, own.credit + request.count)
        own.wake()
        return
      }
      case 'attach':
        ports.onAttach(request.from)
        return
      case 'wants':
        ports.onWants?.(request.from, new Map(request.rooms.map(({ room, attention }) => [room, attention])))
        return
    }
  }

  return {
    hear(message) {
      if (closed) return
      const parsed = z.safeParse(requestSchema, message)
      if (!parsed.success) return
      const { to, epoch } = parsed.data
      if (to === ports.self && epoch === ports.epoch) hearRequest(parsed.data)
    },
    close() {
      closed = true
      for (const { controller } of open.values()) controller.abort(new MeshError('aborted', 'Stopped.'))
      open.clear()
    },
  }
}

function placeOf(request: { readonly from: string; readonly id: number }): string {
  return `${request.from} ${String(request.id)}`
}

function readAll(schemas: readonly Schema<unknown>[], values: readonly unknown[]): unknown[] {
  return schemas.map((schema, index) => read(schema, values[index]))
}

/** A tab of another version may say something else than this one understands. */
function read(schema: Schema<unknown>, value: unknown): unknown {
  const parsed = z.safeParse(schema, value)
  if (parsed.success) return parsed.data
  throw new MeshError('unsupported', 'The tabs of this browser run different versions of the page. Reload both.')
}
