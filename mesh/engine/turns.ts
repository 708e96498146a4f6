import {
  abortReason,
  createEvents,
  createQueue,
  ENGINE_OTHERS_WAITING_MAX,
  ENGINE_OWN_WAITS_MS,
  ENGINE_PERSON_WAITING_MAX,
  ENGINE_TELLS_EVERY_MS,
  ENGINE_WAITING_MAX,
  MeshError,
  throwIfAborted,
  type AsyncQueue,
  type Clock,
  type EventSource,
  type Logger,
  type ModelId,
} from '../base/index.ts'
import { ITSELF, type Asker, type EngineHost, type GenerateEvent, type GenerateRequest } from './engine.ts'
import { createLoadPace } from './load-pace.ts'

// An engine answers few at once and takes what it is given. Who asks most would have it
// alone: sixteen endless questions of one guest, and its own person waits for minutes.

interface Running {
  readonly asker: Asker
  cut(reason: MeshError): void
}

interface Waiting {
  readonly asker: Asker
  readonly model: ModelId
  /** How many go before it; ends when its turn has come. */
  readonly ahead: AsyncQueue<number>
  begin(): void
}

/**
 * Lends the engines of a device in turns: this device's person goes before everybody else
 * and finds a place free where there is more than one, other people share what is left, the
 * one with the least running first. Where there is one place only and somebody else has it
 * for long, that answer is ended with `busy`. Loads of models that other people cause are
 * paced for each of them: who is over waits in line. `changes` and `load` count those who wait.
 * @throws MeshError in `generate` beside the engines' own: `busy` when too many wait
 */
export function createTurns(
  engines: EngineHost,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): EngineHost {
  const running = new Set<Running>()
  const loads = createLoadPace(engines, clock)
  let waiting: Waiting[] = []
  let cancelWatch: (() => void) | undefined
  const events = createEvents<void>((error) => {
    log.error('a listener of the turns failed', { error })
  })
  const changes: EventSource<void> = {
    subscribe(listener) {
      const ends = [engines.changes.subscribe(listener), events.subscribe(listener)]
      return () => {
        for (const end of ends) end()
      }
    },
  }

  const places = (): number => Math.max(1, engines.load().slots)
  const countOf = (all: Iterable<{ readonly asker: Asker }>, fits: (asker: Asker) => boolean): number =>
    [...all].filter(({ asker }) => fits(asker)).length
  const others = ({ isOwn }: Asker): boolean => !isOwn
  const sameAs =
    (asker: Asker) =>
    ({ isOwn, person }: Asker): boolean =>
      !isOwn && person === asker.person

  const mayBegin = ({ asker, model }: Pick<Waiting, 'asker' | 'model'>): boolean => {
    if (!loads.mayBegin(model, asker)) return false
    const all = places()
    if (running.size >= all) return false
    if (asker.isOwn) return true
    const lent = Math.max(1, all - 1)
    return countOf(running, others) < lent && countOf(running, sameAs(asker)) < Math.max(1, Math.ceil(lent / 2))
  }

  const expectPlaceInLine = (asker: Asker): void => {
    const isFull =
      waiting.length >= ENGINE_WAITING_MAX ||
      (!asker.isOwn &&
        (countOf(waiting, others) >= ENGINE_OTHERS_WAITING_MAX ||
          countOf(waiting, sameAs(asker)) >= ENGINE_PERSON_WAITING_MAX))
    if (isFull) throw new MeshError('busy', 'This device has too many questions waiting; try again in a moment.')
  }

  /** Who waits, the next one first: the sort keeps the order of arrival. */
  const inTurn = (): Waiting[] =>
    waiting
      .map((one) => ({ one, runs: one.asker.isOwn ? -1 : countOf(running, sameAs(one.asker)) }))
      .sort((a, b) => a.runs - b.runs)
      .map(({ one }) => one)

  const goOn = (): void => {
    for (const one of inTurn()) {
      if (!mayBegin(one)) continue
      waiting = waiting.filter((other) => other !== one)
      one.begin()
    }
    tell()
    watch()
  }

  const tell = (): void => {
    inTurn().forEach((one, index) => one.ahead.push(index))
    events.emit()
  }

  /** While somebody waits: places may come with a model, and who waits is told that it still does. */
  const watch = (): void => {
    if (waiting.length === 0) {
      cancelWatch?.()
      cancelWatch = undefined
      return
    }
    if (cancelWatch !== undefined) return
    const unsubscribe = engines.changes.subscribe(() => {
      if (waiting.some(mayBegin)) goOn()
    })
    let cancelTimer = (): void => {}
    const again = (): void => {
      cancelTimer = clock.schedule(ENGINE_TELLS_EVERY_MS, () => {
        // before it goes on: where nobody is left to wait, that ends this timer
        again()
        // who waits for another load has none to wait for but time
        goOn()
      })
    }
    again()
    cancelWatch = () => {
      unsubscribe()
      cancelTimer()
    }
  }

  /** The longest running answer for somebody else gives way, when this device's person has none at all. */
  const makeWay = (): void => {
    if (countOf(running, ({ isOwn }) => isOwn) > 0) return
    const [longest] = [...running].filter(({ asker }) => others(asker))
    longest?.cut(
      new MeshError('busy', 'This device is needed by its own person now; try again in a moment.', { retryable: true }),
    )
  }

  async function* wait(
    { asker, model }: Pick<Waiting, 'asker' | 'model'>,
    begin: () => void,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void> {
    expectPlaceInLine(asker)
    const ahead = createQueue<number>(1_000)
    const one: Waiting = {
      asker,
      model,
      ahead,
      begin() {
        begin()
        ahead.end()
      },
    }
    waiting.push(one)
    tell()
    watch()
    const cancel = asker.isOwn ? clock.schedule(ENGINE_OWN_WAITS_MS, makeWay) : undefined
    try {
      for (;;) {
        const count = await ahead.next({ signal })
        if (count === undefined) return
        yield { type: 'queued', ahead: count }
      }
    } finally {
      cancel?.()
      if (waiting.includes(one)) {
        waiting = waiting.filter((other) => other !== one)
        tell()
        watch()
      }
    }
  }

  async function* generate(
    request: GenerateRequest,
    { signal, asker = ITSELF }: { readonly signal: AbortSignal; readonly asker?: Asker },
  ): AsyncGenerator<GenerateEvent, void> {
    throwIfAborted(signal)
    const cut = new AbortController()
    const own: Running = {
      asker,
      cut(reason) {
        cut.abort(reason)
      },
    }
    const wish = { asker, model: request.model }
    const begin = (): void => {
      loads.begins(request.model, asker)
      running.add(own)
    }
    try {
      if (mayBegin(wish)) begin()
      else yield* wait(wish, begin, signal)
      yield* untilCut(engines.generate(request, { signal: AbortSignal.any([signal, cut.signal]), asker }), cut.signal)
    } finally {
      if (running.delete(own)) goOn()
    }
  }

  return {
    models: () => engines.models(),
    load() {
      const load = engines.load()
      return waiting.length === 0 ? load : { ...load, queued: load.queued + waiting.length }
    },
    changes,
    generate,
  }
}

/** The same events. @throws why it was cut, whatever the engine makes of that */
async function* untilCut(answer: AsyncIterable<GenerateEvent>, cut: AbortSignal): AsyncGenerator<GenerateEvent, void> {
  try {
    yield* answer
  } catch (error) {
    if (cut.aborted) throw abortReason(cut)
    throw error
  }
}
