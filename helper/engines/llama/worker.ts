/**
 * The engine process: one model, no network, no keys, no documents. It is started
 * by the helper, takes orders over IPC and ends when the helper does.
 */
import { getLlama, LlamaLogLevel, type Llama } from 'node-llama-cpp'
import { asMeshError, errorToWire, MeshError, messageOf } from '../../../mesh/base/index.ts'
import { createPromptWriter } from './prompt.ts'
import { ToEngine, UnfitQuestion, type FromEngine, type LoadOrder } from './protocol.ts'
import { createSession, type Session } from './session.ts'
import { shedInherited } from './shed.ts'

// before any model is read, whose maker may be anybody
shedInherited()

const running = new Map<number, AbortController>()
let session: Session | undefined

function send(message: FromEngine): void {
  // The channel is gone when the helper is: nobody is left to tell.
  if (process.connected) process.send?.(message)
}

function log(level: 'debug' | 'info' | 'warn', text: string): void {
  send({ type: 'log', level, text: text.slice(0, 4_000) })
}

async function load(order: LoadOrder): Promise<void> {
  try {
    const llama = await startLlama(order)
    let toldAt = 0
    const model = await llama.loadModel({
      modelPath: order.file,
      // Bytes are checked before; the library's own guess of free memory stops some that fit.
      ignoreMemorySafetyChecks: true,
      onLoadProgress(fraction) {
        if (performance.now() - toldAt < 100) return
        toldAt = performance.now()
        send({ type: 'loading', fraction: Math.min(1, Math.max(0, fraction)) })
      },
    })
    const context = await model.createContext({
      contextSize: Math.min(order.contextTokens, model.trainContextSize),
      sequences: order.sequences,
      threads: order.threads,
      ignoreMemorySafetyChecks: true,
      failedCreationRemedy: { retries: 3, autoContextSizeShrink: 0.5 },
    })
    session = createSession(
      model,
      context,
      createPromptWriter(model, (text) => {
        log('warn', text)
      }),
    )
    send({
      type: 'loaded',
      contextTokens: context.contextSize,
      sequences: session.sequences,
      backend: llama.gpu === false ? 'cpu' : llama.gpu,
    })
  } catch (error) {
    const failure =
      error instanceof MeshError
        ? error
        : new MeshError('engine-load', `The engine could not load the model: ${messageOf(error)}.`, { cause: error })
    send({ type: 'load-failed', error: errorToWire(failure) })
  }
}

/** Only what was built beforehand: nothing is compiled and nothing is downloaded. */
function startLlama(order: LoadOrder): Promise<Llama> {
  return getLlama({
    build: 'never',
    skipDownload: true,
    gpu: order.gpu ? 'auto' : false,
    maxThreads: order.threads,
    logLevel: LlamaLogLevel.warn,
    logger: (level, message) => {
      log(level === LlamaLogLevel.warn ? 'debug' : 'info', message.trim())
    },
  })
}

async function generate(message: Extract<ToEngine, { type: 'generate' }>): Promise<void> {
  const { id } = message
  const controller = new AbortController()
  running.set(id, controller)
  try {
    if (session === undefined) throw new MeshError('engine-failed', 'The engine has no model loaded.')
    await session.generate(message.messages, message.sampling, {
      signal: controller.signal,
      emit: (event) => {
        if (!controller.signal.aborted) send({ type: 'event', id, event })
      },
    })
  } catch (error) {
    const failure = asMeshError(error, 'engine-failed')
    send({ type: 'failed', id, error: errorToWire(failure) })
  } finally {
    running.delete(id)
    send({ type: 'settled', id })
  }
}

function obey(message: ToEngine): void {
  switch (message.type) {
    case 'load':
      void load(message.order)
      return
    case 'generate':
      void generate(message)
      return
    case 'cancel':
      running.get(message.id)?.abort(new MeshError('aborted', 'Stopped.'))
      return
    case 'ping':
      send({ type: 'pong', id: message.id })
  }
}

process.on('message', (raw) => {
  const message = ToEngine.safeParse(raw)
  if (message.success) {
    obey(message.data)
    return
  }
  log('warn', 'an order that does not fit the protocol was dropped')
  // whoever waits for the answer is told, and its place in the helper's count is free again
  const question = UnfitQuestion.safeParse(raw)
  if (!question.success) return
  const { id } = question.data
  send({ type: 'failed', id, error: errorToWire(new MeshError('engine-failed', 'The engine does not take this.')) })
  send({ type: 'settled', id })
})

// The helper is gone, even if it was killed: an engine without one must not stay.
// SIGKILL, because an orderly exit waits for native threads that are still counting.
process.on('disconnect', () => {
  process.kill(process.pid, 'SIGKILL')
})
