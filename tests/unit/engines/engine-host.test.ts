import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  asId,
  ENGINE_KEPT_LOADED_MS,
  ENGINE_KEPT_MS,
  ENGINE_OWN_WAITS_MS,
  isMeshError,
  silentLogger,
  type ErrorCode,
  type MeshError,
  type ModelId,
  type PersonId,
} from '../../../mesh/base/index.ts'
import type { Asker, GenerateEvent } from '../../../mesh/engine/index.ts'
import { createLlamaHost, type LlamaHostOptions, type HelperEngineHost } from '../../../helper/engines/index.ts'
import type { ToEngine } from '../../../helper/engines/llama/index.ts'
import { createModelLibrary, type ModelLibrary } from '../../../helper/models/index.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../kit/clock.ts'
import { playEngine, type PlayedEngine } from '../../kit/engine-link.ts'
import { writeTinyGguf } from '../../kit/gguf.ts'
import { until } from '../../kit/wait.ts'

type Script = (order: ToEngine, engine: PlayedEngine) => void

const loads: Script = (order, engine) => {
  if (order.type === 'load') engine.say({ type: 'loaded', contextTokens: 512, sequences: 2, backend: 'cpu' })
  if (order.type === 'ping') engine.say({ type: 'pong', id: order.id })
  if (order.type === 'cancel') engine.say({ type: 'settled', id: order.id })
}

const answers: Script = (order, engine) => {
  loads(order, engine)
  if (order.type !== 'generate') return
  const { id } = order
  engine.say({ type: 'event', id, event: { type: 'reading', doneTokens: 0, totalTokens: 20 } })
  engine.say({ type: 'event', id, event: { type: 'text', text: 'fine', tokenCount: 10 } })
  engine.say({
    type: 'event',
    id,
    event: {
      type: 'end',
      finish: 'stop',
      usage: { promptTokens: 20, cachedTokens: 0, completionTokens: 11 },
      timings: { queueMs: 0, prefillMs: 100, firstTokenMs: 100, decodeMs: 200 },
    },
  })
  engine.say({ type: 'settled', id })
}

const diesLoading: Script = (order, engine) => {
  if (order.type === 'load') engine.die('SIGSEGV')
}

let folder: string
let clock: VirtualClock
let library: ModelLibrary
let host: HelperEngineHost
let script: Script
const engines: PlayedEngine[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-host-'))
  clock = createVirtualClock()
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    await writeTinyGguf(join(folder, `${name}.gguf`), { width: 16, layers: 1, seed: index + 1 })
  }
  library = await createModelLibrary({ dataDir: folder, clock, log: silentLogger, offline: true })
  for (const name of ['three', 'two', 'one']) await library.addFile(join(folder, `${name}.gguf`))
  script = answers
  host = open()
})
afterEach(async () => {
  await host.stop()
  await library.close()
  engines.length = 0
  await rm(folder, { recursive: true, force: true })
})

function open(change: Partial<LlamaHostOptions> = {}): HelperEngineHost {
  return createLlamaHost({
    library,
    clock,
    log: silentLogger,
    threads: 1,
    workerFile: 'unused',
    availableBytes: () => 8e9,
    startLink: () => {
      const { link, engine } = playEngine((order, played) => {
        script(order, played)
      })
      engines.push(engine)
      return link
    },
    ...change,
  })
}

const id = (name: string): ModelId => asId<ModelId>(name)
const stateOf = (name: string): string | undefined => host.models().find((model) => model.id === name)?.state
const ask = (name = 'one', signal = new AbortController().signal, asker?: Asker): AsyncIterable<GenerateEvent> =>
  host.generate(
    { model: id(name), messages: [{ role: 'user', content: 'hello' }], sampling: {} },
    { signal, ...(asker && { asker }) },
  )
const guest = (name: string): Asker => ({ person: asId<PersonId>(name), isOwn: false })
const askFor = (asker: Asker, name: string): Promise<GenerateEvent[]> => all(ask(name, undefined, asker))

async function all(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const out: GenerateEvent[] = []
  for await (const event of events) out.push(event)
  return out
}

async function failureOf(work: Promise<unknown>, code: ErrorCode): Promise<MeshError> {
  try {
    await work
  } catch (error) {
    if (isMeshError(error, code)) return error
    throw error
  }
  return expect.fail(`It succeeded, and ${code} was expected.`)
}

describe('loading', () => {
  test('the first question loads the model and tells so', async () => {
    expect(stateOf('one')).toBe('available')
    expect(host.load()).toEqual({ slots: 1, busy: 0, queued: 0 })
    const events = await all(ask())
    expect(events.map(({ type }) => type)).toEqual(['loading', 'reading', 'text', 'end'])
    expect(stateOf('one')).toBe('ready')
    expect(host.load()).toEqual({ slots: 2, busy: 0, queued: 0 })
  })

  test('two questions at once load it once', async () => {
    await Promise.all([all(ask()), all(ask())])
    expect(engines).toHaveLength(1)
  })

  test('start loads the first model and no other', async () => {
    await host.start()
    expect(['one', 'two', 'three'].map(stateOf)).toEqual(['ready', 'available', 'available'])
  })

  test('a model too big for the memory is refused with both numbers before a process is started', async () => {
    host = open({ availableBytes: () => 10_000_000 })
    const failure = await failureOf(host.prepare('one'), 'engine-memory')
    expect(failure.detail).toMatchObject({ neededBytes: expect.any(Number) as number, availableBytes: 9_000_000 })
    expect(engines).toEqual([])
    expect(host.models()[0]).toMatchObject({ state: 'failed', reason: failure.message })
  })

  test('a third model makes the one idle longest leave', async () => {
    await host.prepare('one')
    clock.advance(10)
    await host.prepare('two')
    clock.advance(10)
    await all(ask('one'))
    await host.prepare('three')
    expect(['one', 'two', 'three'].map(stateOf)).toEqual(['ready', 'available', 'ready'])
    expect(engines[1]?.isKilled()).toBe(true)
  })

  test('what the engine says against a model is told, and the helper goes on', async () => {
    script = (order, engine) => {
      if (order.type === 'load')
        engine.say({ type: 'load-failed', error: { code: 'engine-load', message: 'Unknown architecture.' } })
    }
    await failureOf(host.prepare('one'), 'engine-load')
    script = answers
    await all(ask('two'))
    expect(['one', 'two'].map(stateOf)).toEqual(['failed', 'ready'])
    await all(ask('one'))
    expect(stateOf('one')).toBe('ready')
  })

  test('a stop while it loads lets the loading go on for others', async () => {
    script = () => undefined
    const controller = new AbortController()
    const asking = all(ask('one', controller.signal))
    await until(() => engines.length === 1, { what: 'the engine to be started' })
    controller.abort()
    await failureOf(asking, 'aborted')
    expect(stateOf('one')).toBe('loading')
    engines[0]?.say({ type: 'loaded', contextTokens: 512, sequences: 2, backend: 'cpu' })
    await until(() => stateOf('one') === 'ready', { what: 'the model to be ready' })
  })
})

describe('whose model makes room', () => {
  const member: Asker = { ...guest('bob'), serves: true }
  const states = (): (string | undefined)[] => ['one', 'two', 'three'].map(stateOf)

  test('is for some minutes none of who has more rights here, also when others use it too', async () => {
    await all(ask('one'))
    clock.advance(1_000)
    await askFor(member, 'two')
    await askFor(guest('eve'), 'one')
    await failureOf(askFor(guest('eve'), 'three'), 'busy')
    await clock.advanceAsync(ENGINE_KEPT_MS)
    await askFor(guest('eve'), 'three')
    expect(stateOf('three')).toBe('ready')
  })

  test('is another one than the owner’s, however long that is idle meanwhile', async () => {
    await all(ask('one'))
    for (let count = 0; count < 4; count++) {
      await clock.advanceAsync(60_000)
      await askFor(guest('eve'), count % 2 === 0 ? 'two' : 'three')
    }
    expect(states()).toEqual(['ready', 'available', 'ready'])
  })

  test('is among those of equal rights one that was there for a while, and nobody keeps one for good', async () => {
    await askFor(guest('eve'), 'one')
    await askFor(guest('eve'), 'two')
    await failureOf(askFor(guest('mallory'), 'three'), 'busy')
    await clock.advanceAsync(ENGINE_KEPT_LOADED_MS)
    await askFor(guest('eve'), 'one')
    await askFor(guest('eve'), 'two')
    await askFor(guest('mallory'), 'three')
    expect(states()).toEqual(['available', 'ready', 'ready'])
  })

  test('is one at work for others where the owner needs another, after a while', async () => {
    script = loads
    const endless = ['one', 'two'].map((name) => failureOf(askFor(guest('eve'), name), 'busy'))
    await until(() => host.load().busy === 2, { what: 'both models to be at work' })
    await failureOf(askFor(guest('mallory'), 'three'), 'busy')
    script = answers
    let isAnswered = false
    const askedAt = clock.monotonic()
    void all(ask('three')).then(() => (isAnswered = true))
    await until(
      () => {
        if (!isAnswered) clock.advance(1_000)
        return isAnswered
      },
      { what: 'the owner to be answered' },
    )
    expect(clock.monotonic() - askedAt).toBeGreaterThanOrEqual(ENGINE_OWN_WAITS_MS)
    const failure = await Promise.race(endless)
    expect(failure.retryable).toBe(true)
    expect(stateOf('three')).toBe('ready')
  })

  test('that does not fit beside the owner’s is not called one that cannot be loaded', async () => {
    host = open({ availableBytes: () => (engines.some((engine) => !engine.isKilled()) ? 1_000 : 8e9) })
    await all(ask('one'))
    await failureOf(askFor(guest('eve'), 'two'), 'busy')
    expect(stateOf('two')).toBe('available')
  })
})

describe('a model that ends the engine while it is loaded', () => {
  beforeEach(() => {
    script = diesLoading
  })

  test('is not tried again by itself, not even in the next life', async () => {
    await failureOf(host.prepare('one'), 'engine-load')
    await failureOf(all(ask()), 'engine-load')
    expect(engines).toHaveLength(1)
    await host.stop()
    host = open()
    await failureOf(host.start(), 'engine-load')
    expect(engines).toHaveLength(1)
  })

  test('is tried once more when the person chooses it', async () => {
    await failureOf(host.prepare('one'), 'engine-load')
    clock.advance(1_000)
    await library.use('one')
    script = answers
    await all(ask())
    expect(stateOf('one')).toBe('ready')
  })

  test('does not keep another model from working', async () => {
    await failureOf(host.prepare('one'), 'engine-load')
    script = answers
    await all(ask('two'))
    expect(stateOf('two')).toBe('ready')
  })
})

describe('an engine that is lost', () => {
  const askAndLose = async (): Promise<void> => {
    script = loads
    await host.prepare('one')
    const asking = all(ask())
    await until(() => engines.at(-1)?.orders.some(({ type }) => type === 'generate'), { what: 'the question' })
    engines.at(-1)?.die()
    await failureOf(asking, 'engine-lost')
  }

  test('fails its questions with words and is started again after a second', async () => {
    await askAndLose()
    expect(engines).toHaveLength(1)
    clock.advance(999)
    await settle()
    expect(engines).toHaveLength(1)
    clock.advance(1)
    await until(() => stateOf('one') === 'ready', { what: 'the engine to be back' })
    expect(engines).toHaveLength(2)
  })

  test('is started at once for the next question', async () => {
    await askAndLose()
    script = answers
    await all(ask())
    expect(engines).toHaveLength(2)
    expect(clock.monotonic()).toBe(0)
  })

  test('is ended and started again when it hangs', async () => {
    script = (order, engine) => {
      if (order.type === 'load') loads(order, engine)
    }
    await host.prepare('one')
    await clock.advanceAsync(60_000)
    expect(engines[0]?.isKilled()).toBe(true)
  })

  test('is ended when it talks nonsense', async () => {
    await host.prepare('one')
    engines[0]?.babble({ type: 'event', id: 1, event: { type: 'text', text: 'x'.repeat(10), tokenCount: -1 } })
    await settle()
    expect(engines[0]?.isKilled()).toBe(true)
  })
})

describe('load and order', () => {
  test('the counts follow the engine: busy, waiting, free', async () => {
    script = loads
    await host.prepare('one')
    const controller = new AbortController()
    const asking = all(ask('one', controller.signal))
    const played = engines[0]
    await until(() => host.load().busy === 1, { what: 'the question to count' })
    const order = played?.orders.find(({ type }) => type === 'generate')
    if (order?.type !== 'generate') expect.fail('No question came.')
    played?.say({ type: 'event', id: order.id, event: { type: 'queued', ahead: 3 } })
    expect(host.load()).toMatchObject({ busy: 0, queued: 1 })
    script = () => undefined
    controller.abort()
    await failureOf(asking, 'aborted')
    // Stopped here, but the engine has not said that it let go.
    expect(host.load().queued).toBe(1)
    played?.say({ type: 'settled', id: order.id })
    expect(host.load()).toMatchObject({ busy: 0, queued: 0 })
  })

  test('more than may wait are told that the device is busy', async () => {
    script = loads
    await host.prepare('one')
    const controllers = Array.from({ length: 34 }, () => new AbortController())
    const asked = controllers.map(({ signal }) => failureOf(all(ask('one', signal)), 'aborted'))
    await until(() => host.load().busy === 34, { what: 'all questions to arrive' })
    await failureOf(all(ask()), 'busy')
    for (const controller of controllers) controller.abort()
    await Promise.all(asked)
  })

  test('speeds are learned from answers and kept with the model', async () => {
    await all(ask())
    expect(host.models()[0]?.speed).toMatchObject({ prefillTokensPerSecond: 200, decodeTokensPerSecond: 50 })
  })

  test('stopping ends every process, and nothing is started again', async () => {
    await host.prepare('one')
    await host.prepare('two')
    await host.stop()
    expect(engines.map((engine) => engine.isKilled())).toEqual([true, true])
    await clock.advanceAsync(120_000)
    expect(engines).toHaveLength(2)
    await failureOf(all(ask()), 'engine-lost')
  })
})
