import {
  abortReason,
  createQueue,
  errorFromWire,
  MeshError,
  throwIfAborted,
  type AsyncQueue,
  type Clock,
  type Logger,
} from '../../../mesh/base/index.ts'
import type { GenerateEvent, GenerateRequest } from '../../../mesh/engine/index.ts'
import type { EngineLink } from './child.ts'
import { FromEngine, type LoadOrder } from './protocol.ts'

/** Events that may wait for a slow reader before its request is ended. */
const EVENT_LIMIT = 20_000
const PING_MS = 5_000
/** An engine that says nothing for so long has hung; reading and writing happen off its main thread. */
const SILENCE_MS = 45_000

/** OpenAI allows a share of 0, the engine wants more. */
const TOP_P_MIN = 1e-6

/** What starting an engine needs. */
export interface EngineOptions {
  readonly link: EngineLink
  readonly order: LoadOrder
  readonly clock: Clock
  readonly log: Logger
  readonly signal?: AbortSignal | undefined
  /** 0 to 1, while the model is loaded. */
  readonly onProgress?: (fraction: number) => void
  /** The numbers of `counts` changed. */
  readonly onChange?: () => void
  /** The process ended without being asked to; every request has failed with `engine-lost`. */
  readonly onLost?: (error: MeshError) => void
}

/** One model in one engine process. */
export interface LlamaEngine {
  readonly contextTokens: number
  readonly sequences: number
  /** `cpu`, or the graphics interface in use. */
  readonly backend: string
  counts(): { readonly busy: number; readonly queued: number }
  /** As `EngineHost.generate`, for the one model loaded. */
  generate(request: GenerateRequest, options: { signal: AbortSignal }): AsyncIterable<GenerateEvent>
  /** Ends the process and with it frees everything. Requests fail with `engine-lost`. */
  stop(): Promise<void>
}

interface Running {
  readonly events: AsyncQueue<GenerateEvent>
  queued: boolean
}

/**
 * Starts a process and loads the model in it.
 * @throws MeshError what the engine said, `engine-lost` when the process ended while loading, `aborted`.
 */
export function startLlamaEngine(options: EngineOptions): Promise<LlamaEngine> {
  const { link, clock, log, signal } = options
  const running = new Map<number, Running>()
  let nextId = 1
  let lost: MeshError | undefined
  let stopping = false
  let heardAt = clock.monotonic()
  let cancelPing = (): void => undefined

  return new Promise((resolve, reject) => {
    const exited = new Promise<void>((done) => {
      link.onExit((ending) => {
        cancelPing()
        lost = stopping
          ? new MeshError('engine-lost', 'The engine was stopped.', { retryable: true })
          : new MeshError('engine-lost', `The engine ended unexpectedly (${ending}).`)
        for (const request of running.values()) request.events.fail(lost)
        running.clear()
        signal?.removeEventListener('abort', onAbort)
        reject(lost)
        if (!stopping) options.onLost?.(lost)
        done()
      })
    })
    const onAbort = (): void => {
      stopping = true
      link.kill()
      reject(abortReason(signal))
    }
    const stop = async (): Promise<void> => {
      stopping = true
      link.kill()
      await exited
    }

    const ping = (): void => {
      cancelPing = clock.schedule(PING_MS, () => {
        if (clock.monotonic() - heardAt > SILENCE_MS) {
          log.error('the engine hangs and is ended', { silentMs: clock.monotonic() - heardAt })
          link.kill()
          return
        }
        link.send({ type: 'ping', id: nextId++ })
        ping()
      })
    }

    const settle = (id: number): void => {
      running.get(id)?.events.end()
      running.delete(id)
      options.onChange?.()
    }

    const hear = (message: FromEngine): void => {
      switch (message.type) {
        case 'loading':
          options.onProgress?.(message.fraction)
          return
        case 'loaded':
          signal?.removeEventListener('abort', onAbort)
          resolve(engine(message))
          return
        case 'load-failed':
          void stop()
          reject(errorFromWire(message.error))
          return
        case 'event':
          hearEvent(message.id, message.event)
          return
        case 'failed':
          running.get(message.id)?.events.fail(errorFromWire(message.error))
          return
        case 'settled':
          settle(message.id)
          return
        case 'log':
          log[message.level](message.text)
          return
        case 'pong':
      }
    }

    const hearEvent = (id: number, event: GenerateEvent): void => {
      const request = running.get(id)
      if (request === undefined) return
      const queued = event.type === 'queued'
      if (queued !== request.queued) {
        request.queued = queued
        options.onChange?.()
      }
      if (request.events.push(event)) return
      link.send({ type: 'cancel', id })
      request.events.fail(new MeshError('engine-failed', 'The answer was not read and was ended.'))
    }

    async function* generate(request: GenerateRequest, asker: { signal: AbortSignal }): AsyncGenerator<GenerateEvent> {
      throwIfAborted(asker.signal)
      if (lost !== undefined) throw lost
      const id = nextId++
      const mine: Running = { events: createQueue(EVENT_LIMIT), queued: false }
      running.set(id, mine)
      link.send({ type: 'generate', id, messages: [...request.messages], sampling: toWire(request) })
      options.onChange?.()
      let isOver = false
      const cancel = (): void => {
        if (isOver) return
        isOver = true
        link.send({ type: 'cancel', id })
        // Wakes a reader that waits; the engine's own word comes when its sequence is free.
        mine.events.fail(new MeshError('aborted', 'Stopped.'))
      }
      asker.signal.addEventListener('abort', cancel, { once: true })
      try {
        for (;;) {
          const event = await mine.events.next()
          throwIfAborted(asker.signal)
          if (event === undefined) {
            isOver = true
            return
          }
          yield event
        }
      } catch (error) {
        // Aborted here, or failed there: in the second case nothing is left to cancel, and a cancel does no harm.
        throwIfAborted(asker.signal)
        throw error
      } finally {
        // Also when the reader leaves the loop early.
        cancel()
        asker.signal.removeEventListener('abort', cancel)
      }
    }

    const engine = (loaded: Extract<FromEngine, { type: 'loaded' }>): LlamaEngine => ({
      contextTokens: loaded.contextTokens,
      sequences: loaded.sequences,
      backend: loaded.backend,
      counts() {
        const queued = [...running.values()].filter((request) => request.queued).length
        return { busy: running.size - queued, queued }
      },
      generate,
      stop,
    })

    link.onMessage((raw) => {
      heardAt = clock.monotonic()
      const message = FromEngine.safeParse(raw)
      if (message.success) {
        hear(message.data)
        return
      }
      // It handles foreign files; if it talks nonsense it may have been taken over.
      log.error('the engine broke the protocol and is ended', { reason: message.error.message.slice(0, 300) })
      link.kill()
    })
    if (signal?.aborted === true) {
      onAbort()
      return
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    link.send({ type: 'load', order: options.order })
    ping()
  })
}

/** Only what the protocol knows, with lists as lists of our own. */
function toWire({ sampling }: GenerateRequest): {
  temperature?: number | undefined
  topP?: number | undefined
  seed?: number | undefined
  maxTokens?: number | undefined
  presencePenalty?: number | undefined
  frequencyPenalty?: number | undefined
  stop?: string[] | undefined
} {
  const { temperature, topP, seed, maxTokens, presencePenalty, frequencyPenalty, stop } = sampling
  // the engine takes a share above 0; the smallest still leaves one token
  const share = topP === undefined ? undefined : Math.max(topP, TOP_P_MIN)
  return { temperature, topP: share, seed, maxTokens, presencePenalty, frequencyPenalty, stop: stop && [...stop] }
}
