import {
  abortReason,
  asMeshError,
  createEvents,
  createQueue,
  ENGINE_OWN_WAITS_MS,
  isMeshError,
  MeshError,
  messageOf,
  throwIfAborted,
  type AsyncQueue,
} from '../../../mesh/base/index.ts'
import {
  ITSELF,
  standingOf,
  type Asker,
  type EngineLoad,
  type GenerateEvent,
  type GenerateRequest,
  type ModelRecord,
} from '../../../mesh/engine/index.ts'
import type { OpenedModel } from '../../models/index.ts'
import type { Cancellable, EnginePorts, HelperEngineHost } from '../engine-kind.ts'
import { createBackoff } from './backoff.ts'
import { createCanaries } from './canary.ts'
import { startEngineProcess, type EngineLink } from './child.ts'
import { startLlamaEngine, type LlamaEngine } from './engine.ts'
import { availableMemory, planMemory } from './memory-plan.ts'
import { createResidence } from './residence.ts'
import { createSpeedometer } from './speed.ts'

/** Longest context given to one conversation; more memory is better spent on more conversations. */
const CONTEXT_MOST_TOKENS = 8_192
/** Engines kept at once; one that is idle makes room. */
const ENGINES_MOST = 2
/** Requests that may wait on this device beside those being answered. */
const WAITING_MOST = 32

/** What the host of llama.cpp needs; what is optional is for tests. */
export interface LlamaHostOptions extends EnginePorts {
  /** Longest context in tokens. Default 8,192. */
  readonly contextMostTokens?: number | undefined
  /** Default: what the machine has free. */
  readonly availableBytes?: (() => number) | undefined
  /** Default: a process. */
  readonly startLink?: ((modelFile: string) => EngineLink) | undefined
}

interface Loading {
  fraction: number
  /** Of those for whom it is loaded, the one with most rights here. */
  asker: Asker
  readonly listeners: Set<(fraction: number) => void>
  readonly done: Promise<Loaded>
}

interface Loaded {
  readonly engine: LlamaEngine
  /** What it answers now. */
  readonly answers: Set<Answer>
}

interface Answer {
  readonly asker: Asker
  cut(reason: MeshError): void
}

/** Models from the library, each answered by llama.cpp in a process of its own. */
export function createLlamaHost(options: LlamaHostOptions): HelperEngineHost {
  const { library, clock, log } = options
  const canaries = createCanaries(library.dataDir)
  const startLink =
    options.startLink ??
    ((modelFile: string) =>
      startEngineProcess({ workerFile: options.workerFile, modelFile, dataDir: library.dataDir, log }))
  const availableBytes = options.availableBytes ?? availableMemory
  const loaded = new Map<string, Loaded>()
  const loading = new Map<string, Loading>()
  const failed = new Map<string, string>()
  const restarts = new Map<string, () => void>()
  const backoff = createBackoff(clock)
  const residence = createResidence(clock)
  const speeds = createSpeedometer(clock, (id, speed) => {
    library.noteSpeed(id, speed)
  })
  const life = new AbortController()
  const changes = createEvents<void>((error) => {
    log.error('a listener of the engine host failed', { reason: messageOf(error) })
  })
  let waitingForLoad = 0
  const unsubscribe = library.changes.subscribe(() => {
    changes.emit()
  })

  const overlay = (record: ModelRecord): ModelRecord => {
    if (record.state !== 'available') return record
    const engine = loaded.get(record.id)
    if (engine !== undefined) return { ...record, state: 'ready', contextTokens: engine.engine.contextTokens }
    if (loading.has(record.id)) return { ...record, state: 'loading' }
    const reason = failed.get(record.id)
    return reason === undefined ? record : { ...record, state: 'failed', reason }
  }

  const isIdle = ({ engine, answers }: Loaded): boolean =>
    answers.size === 0 && engine.counts().busy + engine.counts().queued === 0

  /** Unloads a model that somebody may have put out; false where there is none. */
  const freeOne = async (except: string, wanted: Asker): Promise<boolean> => {
    const idle = [...loaded].flatMap(([id, one]) => (id !== except && isIdle(one) ? [id] : []))
    const id = residence.leaves(idle, wanted)
    const leaving = id === undefined ? undefined : loaded.get(id)
    if (id === undefined || leaving === undefined) return wanted.isOwn && (await makeWay(except))
    log.info('a model that was not in use is unloaded to make room', { model: id })
    loaded.delete(id)
    await leaving.engine.stop()
    changes.emit()
    return true
  }

  /** Resolves when a model has become idle, or {@link ENGINE_OWN_WAITS_MS} later. */
  const someIdle = (except: string): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        cancel()
        stopListening()
        life.signal.removeEventListener('abort', end)
        resolve()
      }
      const cancel = clock.schedule(ENGINE_OWN_WAITS_MS, end)
      const stopListening = changes.subscribe(() => {
        if ([...loaded].some(([id, one]) => id !== except && isIdle(one))) end()
      })
      life.signal.addEventListener('abort', end)
    })

  /** This device's person needs a model and all are at work for others: one is waited for, then taken. */
  const makeWay = async (except: string): Promise<boolean> => {
    const lent = (): [string, Loaded] | undefined =>
      [...loaded].find(([id, { answers }]) => id !== except && [...answers].every(({ asker }) => !asker.isOwn))
    if (lent() === undefined) return false
    await someIdle(except)
    throwIfAborted(life.signal)
    const taken = lent()
    if (taken === undefined) return false
    const [id, { engine, answers }] = taken
    log.info('a model that was in use for others is unloaded for this device’s person', { model: id })
    loaded.delete(id)
    for (const answer of answers)
      answer.cut(
        new MeshError('busy', 'This device is needed by its own person now; try again in a moment.', {
          retryable: true,
        }),
      )
    await engine.stop()
    changes.emit()
    return true
  }

  /** Other people's models are loaded one after the other: together they would take more than there is. */
  const inLine = async (own: Loading): Promise<void> => {
    const before = [...loading.values()]
    for (const other of before.slice(0, before.indexOf(own)))
      if (!own.asker.isOwn) await other.done.catch(() => undefined)
  }

  /** Frees idle engines until the model fits, or says why it does not. */
  const planWithRoom = async (opened: OpenedModel, own: Loading): Promise<ReturnType<typeof planMemory>> => {
    const busy = (): MeshError =>
      new MeshError('busy', 'The engines of this device are busy with other models; try again in a moment.', {
        retryable: true,
      })
    while (loaded.size >= ENGINES_MOST) if (!(await freeOne(opened.id, own.asker))) throw busy()
    for (;;) {
      try {
        return planMemory(opened.header, availableBytes(), options.contextMostTokens ?? CONTEXT_MOST_TOKENS)
      } catch (error) {
        if (!isMeshError(error, 'engine-memory')) throw error
        if (await freeOne(opened.id, own.asker)) continue
        // it fits when others' models leave, which they do not for this one: that is no fault of the model
        throw loaded.size > 0 && !own.asker.isOwn ? busy() : error
      }
    }
  }

  const load = async (id: string, own: Loading, onProgress: (fraction: number) => void): Promise<Loaded> => {
    await inLine(own)
    const opened = await library.open(id, { signal: life.signal })
    const plan = await planWithRoom(opened, own)
    await canaries.begin(opened.key, opened.chosenAt)
    const startedAt = clock.monotonic()
    let engine: LlamaEngine
    let lostEarly: MeshError | undefined
    try {
      engine = await startLlamaEngine({
        link: startLink(opened.file),
        order: {
          file: opened.file,
          threads: options.threads,
          contextTokens: plan.contextTokens,
          sequences: plan.sequences,
          gpu: options.gpu ?? true,
        },
        clock,
        log,
        signal: life.signal,
        onProgress,
        onChange: () => {
          changes.emit()
        },
        onLost: (error) => {
          lostEarly = error
          engineLost(id, error)
        },
      })
    } catch (error) {
      if (isMeshError(error, 'engine-lost')) {
        await canaries.crashed(opened.key, opened.chosenAt)
        throw new MeshError(
          'engine-load',
          `Loading this model ended the engine. It is not tried again by itself. ${error.message}`,
          { cause: error },
        )
      }
      await canaries.clear(opened.key)
      throw error
    }
    await canaries.clear(opened.key)
    if (lostEarly !== undefined) throw lostEarly
    log.info('a model is ready', {
      model: id,
      loadMs: Math.round(clock.monotonic() - startedAt),
      contextTokens: engine.contextTokens,
      sequences: engine.sequences,
      backend: engine.backend,
    })
    residence.loaded(id, own.asker)
    return { engine, answers: new Set() }
  }

  const beginLoading = (id: string, asker: Asker): Loading => {
    restarts.get(id)?.()
    restarts.delete(id)
    const listeners = new Set<(fraction: number) => void>()
    const whole = Promise.withResolvers<Loaded>()
    const entry: Loading = { fraction: 0, asker, listeners, done: whole.promise }
    loading.set(id, entry)
    load(id, entry, (fraction) => {
      entry.fraction = fraction
      for (const listener of listeners) listener(fraction)
    })
      .then((result) => {
        loaded.set(id, result)
        failed.delete(id)
        return result
      })
      .catch((error: unknown) => {
        const failure = asMeshError(error, 'engine-load')
        if (failure.code !== 'aborted' && failure.code !== 'busy') {
          failed.set(id, failure.message)
          log.warn('a model could not be loaded', { model: id, code: failure.code, reason: failure.message })
        }
        throw failure
      })
      .finally(() => {
        loading.delete(id)
        changes.emit()
      })
      .then(whole.resolve, whole.reject)
    // Whoever waits is told; that nobody waits is no fault.
    whole.promise.catch(() => undefined)
    changes.emit()
    return entry
  }

  const engineLost = (id: string, error: MeshError): void => {
    // While loading, the failure is the load's own.
    if (!loaded.delete(id)) return
    const delayMs = backoff.next(id)
    log.error('an engine was lost and is started again', { model: id, delayMs, reason: error.message })
    restarts.set(
      id,
      clock.schedule(delayMs, () => {
        restarts.delete(id)
        if (!life.signal.aborted) beginLoading(id, residence.loadedFor(id) ?? ITSELF)
      }),
    )
    changes.emit()
  }

  /** The engine of a model, telling how far its loading is. */
  async function* whenLoaded(
    id: string,
    { signal, asker }: { readonly signal: AbortSignal; readonly asker: Asker },
  ): AsyncGenerator<GenerateEvent, Loaded> {
    const ready = loaded.get(id)
    if (ready !== undefined) return ready
    const entry = loading.get(id) ?? beginLoading(id, asker)
    if (standingOf(asker) > standingOf(entry.asker)) entry.asker = asker
    const fractions: AsyncQueue<number> = createQueue(1_000)
    const listener = (fraction: number): void => {
      fractions.push(fraction)
    }
    const onAbort = (): void => {
      fractions.end()
    }
    entry.listeners.add(listener)
    signal.addEventListener('abort', onAbort, { once: true })
    entry.done.then(onAbort, onAbort)
    waitingForLoad += 1
    changes.emit()
    try {
      yield { type: 'loading', fraction: entry.fraction }
      for await (const fraction of fractions) yield { type: 'loading', fraction }
      throwIfAborted(signal)
      return await entry.done
    } finally {
      waitingForLoad -= 1
      entry.listeners.delete(listener)
      signal.removeEventListener('abort', onAbort)
      changes.emit()
    }
  }

  const findModel = (id: string): ModelRecord => {
    const record = library.list().find((model) => model.id === id)
    if (record === undefined)
      throw new MeshError('model-unknown', `There is no model named ${id.slice(0, 128)} on this device.`)
    if (record.state === 'downloading') {
      throw new MeshError('model-unavailable', `The model ${id} is still on its way to this device.`, {
        retryable: true,
      })
    }
    if (record.state === 'failed')
      throw new MeshError('model-unavailable', record.reason ?? `The model ${id} could not be had.`)
    return record
  }

  const currentLoad = (): EngineLoad => {
    let slots = 0
    let busy = 0
    let queued = waitingForLoad
    for (const { engine } of loaded.values()) {
      const counts = engine.counts()
      slots += engine.sequences
      busy += counts.busy
      queued += counts.queued
    }
    // A model that is not loaded yet can still be asked.
    const canLoad = library.list().some((record) => overlay(record).state === 'available' || loading.has(record.id))
    return { slots: slots === 0 && canLoad ? 1 : slots, busy, queued }
  }

  async function* generate(
    request: GenerateRequest,
    { signal, asker = ITSELF }: { readonly signal: AbortSignal; readonly asker?: Asker },
  ): AsyncGenerator<GenerateEvent> {
    throwIfAborted(signal)
    if (life.signal.aborted) throw new MeshError('engine-lost', 'This device is shutting down its engine.')
    const { id } = findModel(request.model)
    const { slots, busy, queued } = currentLoad()
    if (busy + queued >= slots + WAITING_MOST) {
      throw new MeshError('busy', 'This device has too many questions waiting; try again in a moment.')
    }
    const { engine, answers } = yield* whenLoaded(id, { signal, asker })
    const taken = new AbortController()
    const answer: Answer = {
      asker,
      cut(reason) {
        taken.abort(reason)
      },
    }
    answers.add(answer)
    residence.used(id, asker)
    try {
      for await (const event of engine.generate(request, { signal: AbortSignal.any([signal, taken.signal]) })) {
        if (event.type === 'end') speeds.note(id, event)
        yield event
      }
    } catch (error) {
      throw taken.signal.aborted ? abortReason(taken.signal) : error
    } finally {
      answers.delete(answer)
      residence.used(id, asker)
      changes.emit()
    }
    backoff.worked(id)
  }

  const prepare = async (id: string, { signal = life.signal }: Cancellable = {}): Promise<void> => {
    findModel(id)
    const steps = whenLoaded(id, { signal, asker: ITSELF })
    for (;;) {
      const step = await steps.next()
      if (step.done === true) return
    }
  }

  return {
    models: () => library.list().map(overlay),
    load: currentLoad,
    changes,
    generate,
    prepare,
    async start({ signal } = {}) {
      const first = library.list().find((record) => record.state === 'available')
      if (first !== undefined) await prepare(first.id, { signal: signal ?? life.signal })
    },
    async stop() {
      unsubscribe()
      life.abort(new MeshError('aborted', 'The engine is being stopped.'))
      for (const cancel of restarts.values()) cancel()
      restarts.clear()
      await Promise.allSettled([...loading.values()].map((entry) => entry.done))
      const engines = [...loaded.values()]
      loaded.clear()
      await Promise.all(engines.map(({ engine }) => engine.stop()))
      changes.emit()
    },
  }
}
