import {
  asId,
  createEvents,
  MeshError,
  sleep,
  throwIfAborted,
  type Clock,
  type ErrorCode,
  type ModelId,
} from '../../mesh/base/index.ts'
import type {
  ChatMessage,
  EngineHost,
  EngineLoad,
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  ModelRecord,
} from '../../mesh/engine/index.ts'

/** How a test engine behaves; everything may be changed while it runs. */
export interface TestEngineOptions {
  readonly clock: Clock
  /** Default: one model named `test-model` that is ready. */
  readonly models?: readonly ModelRecord[]
  /** Time between two tokens; 0 takes none. */
  readonly tokenMs?: number
  /** Time to read one token of the prompt; 0 takes none. */
  readonly promptTokenMs?: number
  /** Requests worked on at once; further ones wait. Default 4. */
  readonly slots?: number
  /** Requests that may wait. Default 32. */
  readonly queueLimit?: number
  /** Overrides {@link testAnswer}. */
  readonly answer?: (messages: readonly ChatMessage[]) => string
}

/** An engine whose answers are a pure function of the prompt. For tests only. */
export interface TestEngine extends EngineHost {
  /** Requests it was given, in order. */
  readonly requests: readonly GenerateRequest[]
  /** From now on no token comes, until `resume`. */
  stall(): void
  resume(): void
  /** The next request, or after `tokens` tokens of it, fails with this code. */
  failNext(code: ErrorCode, afterTokens?: number): void
  setModels(models: readonly ModelRecord[]): void
  setPace(pace: { tokenMs?: number; promptTokenMs?: number }): void
}

/** A model record with nothing unusual in it. */
export function testModel(change: Partial<Omit<ModelRecord, 'id'>> & { id?: string } = {}): ModelRecord {
  const { id, ...rest } = change
  return {
    sizeBytes: 1_000_000,
    sha256: 'ab'.repeat(32),
    contextTokens: 2_048,
    state: 'ready',
    addedAt: Date.UTC(2026, 0, 1),
    ...rest,
    id: asId<ModelId>(id ?? 'test-model'),
  }
}

const WORDS =
  'amber birch cedar delta ember fjord grove harbor island jasper kelp lagoon meadow north olive prairie'.split(' ')

/**
 * What a test engine answers: it repeats the last thing the person said and then
 * counts through words that follow from the whole prompt. The same prompt always
 * gives the same text, on every device.
 */
export function testAnswer(messages: readonly ChatMessage[]): string {
  const last = messages.findLast((message) => message.role === 'user')?.content ?? ''
  let state = 7
  for (const char of messages.map(({ role, content }) => `${role}:${content}`).join('\n')) {
    state = (state * 31 + (char.codePointAt(0) ?? 0)) % 65_521
  }
  const words = Array.from({ length: 24 }, (_, index) => {
    state = (state * 75 + 74) % 65_537
    return `${String(index + 1)} ${WORDS[state % WORDS.length] ?? ''},`
  })
  return `You said “${last.slice(0, 60)}”. ${words.join(' ')} done.`
}

/** The tokens of test engines: words with the space before them. */
export function testTokens(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}

/** Makes a test engine. */
export function createTestEngine(options: TestEngineOptions): TestEngine {
  const { clock } = options
  const slots = options.slots ?? 4
  let models = options.models ?? [testModel()]
  let pace = { tokenMs: options.tokenMs ?? 0, promptTokenMs: options.promptTokenMs ?? 0 }
  let busy = 0
  const waiting: (() => void)[] = []
  let failure: { code: ErrorCode; afterTokens: number } | undefined
  let stalled: { promise: Promise<void>; end: () => void } | undefined
  const requests: GenerateRequest[] = []
  const changes = createEvents<void>(() => undefined)

  const pause = async (durationMs: number, signal: AbortSignal): Promise<void> => {
    if (stalled !== undefined) await raceAbort(stalled.promise, signal)
    if (durationMs > 0) await sleep(clock, durationMs, { signal })
    throwIfAborted(signal)
  }

  async function* enter(signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    if (busy < slots) {
      busy += 1
      changes.emit()
      return
    }
    if (waiting.length >= (options.queueLimit ?? 32))
      throw new MeshError('busy', 'The test engine has too many waiting.')
    let wake = (): void => undefined
    const turn = new Promise<void>((resolve) => {
      wake = resolve
    })
    waiting.push(wake)
    changes.emit()
    try {
      yield { type: 'queued', ahead: waiting.length - 1 }
      await raceAbort(turn, signal)
      busy += 1
    } finally {
      const index = waiting.indexOf(wake)
      if (index >= 0) waiting.splice(index, 1)
      changes.emit()
    }
  }

  async function* generate(
    request: GenerateRequest,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<GenerateEvent> {
    throwIfAborted(signal)
    requests.push(request)
    const model = models.find(({ id }) => id === request.model)
    if (model === undefined) throw new MeshError('model-unknown', `There is no model named ${request.model}.`)
    const planned = failure
    failure = undefined
    const promptTokens =
      testTokens(request.messages.map(({ content }) => content).join(' ')).length + request.messages.length * 4
    if (promptTokens >= model.contextTokens) {
      throw new MeshError('engine-context', 'The conversation is too long for the test engine.', {
        detail: { maxTokens: model.contextTokens, gotTokens: promptTokens },
      })
    }
    const arrivedAt = clock.monotonic()
    yield* enter(signal)
    try {
      yield* answer(request, model, promptTokens, planned, arrivedAt, signal)
    } finally {
      busy -= 1
      waiting.shift()?.()
      changes.emit()
    }
  }

  async function* answer(
    request: GenerateRequest,
    model: ModelRecord,
    promptTokens: number,
    planned: { code: ErrorCode; afterTokens: number } | undefined,
    arrivedAt: number,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent> {
    const startedAt = clock.monotonic()
    yield { type: 'reading', doneTokens: 0, totalTokens: promptTokens }
    await pause(pace.promptTokenMs * promptTokens, signal)
    yield { type: 'reading', doneTokens: promptTokens, totalTokens: promptTokens }
    const { text, finish } = cut(request, model.contextTokens - promptTokens, options.answer ?? testAnswer)
    let firstTokenAt = clock.monotonic()
    let count = 0
    for (const token of testTokens(text)) {
      if (planned !== undefined && count >= planned.afterTokens) throw planFailure(planned.code)
      await pause(pace.tokenMs, signal)
      if (count === 0) firstTokenAt = clock.monotonic()
      count += 1
      yield { type: 'text', text: token, tokenCount: 1 }
    }
    if (planned !== undefined) throw planFailure(planned.code)
    throwIfAborted(signal)
    yield {
      type: 'end',
      finish,
      usage: { promptTokens, cachedTokens: 0, completionTokens: count },
      timings: {
        queueMs: startedAt - arrivedAt,
        prefillMs: firstTokenAt - startedAt,
        firstTokenMs: firstTokenAt - arrivedAt,
        decodeMs: clock.monotonic() - firstTokenAt,
      },
    }
  }

  const load = (): EngineLoad => ({ slots: models.length === 0 ? 0 : slots, busy, queued: waiting.length })

  return {
    requests,
    models: () => models,
    load,
    changes,
    generate,
    stall() {
      if (stalled !== undefined) return
      let end = (): void => undefined
      const promise = new Promise<void>((resolve) => {
        end = resolve
      })
      stalled = { promise, end }
    },
    resume() {
      stalled?.end()
      stalled = undefined
    },
    failNext(code, afterTokens = 0) {
      failure = { code, afterTokens }
    },
    setModels(next) {
      models = next
      changes.emit()
    },
    setPace(next) {
      pace = { ...pace, ...next }
    },
  }
}

/** The text of a request after continuation, stop strings and limits. */
function cut(
  request: GenerateRequest,
  roomTokens: number,
  answerOf: (messages: readonly ChatMessage[]) => string,
): { text: string; finish: FinishReason } {
  const last = request.messages.at(-1)
  const begun = last?.role === 'assistant' ? last.content : ''
  const whole = answerOf(begun === '' ? request.messages : request.messages.slice(0, -1))
  let text = whole.startsWith(begun) ? whole.slice(begun.length) : whole
  for (const stop of request.sampling.stop ?? []) {
    const at = text.indexOf(stop)
    if (at >= 0) text = text.slice(0, at)
  }
  const most = Math.min(request.sampling.maxTokens ?? Infinity, roomTokens)
  const tokens = testTokens(text)
  return tokens.length > most ? { text: tokens.slice(0, most).join(''), finish: 'length' } : { text, finish: 'stop' }
}

function planFailure(code: ErrorCode): MeshError {
  return new MeshError(code, 'The test engine fails because it was told to.')
}

function raceAbort(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      try {
        throwIfAborted(signal)
      } catch (error) {
        reject(error instanceof Error ? error : new MeshError('aborted', 'Stopped.'))
      }
    }
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    void promise.then(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
  })
}
