import type { Connection } from '@libp2p/interface'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { INFER_STALL_MS, INFER_STREAMS_MAX, PROMPT_MAX_LENGTH, PROMPT_MAX_MESSAGES } from '../../mesh/base/index.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { createVirtualClock } from '../kit/clock.ts'
import { createTestEngine } from '../kit/engine.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame, startRawNode, type Frame, type RawNode } from '../kit/raw-node.ts'
import { startTinyLlama, type TinyLlama } from '../kit/tiny-llama.ts'
import { until } from '../kit/wait.ts'

// An admitted device that asks as no honest one would, against the real engine.

let llama: TinyLlama
let alice: TestPeer
let mallory: RawNode
let connection: Connection

beforeAll(async () => {
  llama = await startTinyLlama({ says: 'abcdefghij', contextTokens: 2_048 })
})
afterAll(() => llama.stop())

beforeEach(async () => {
  alice = await startPeer('Alice', { engines: llama.host })
  mallory = await startRawNode()
  connection = await admitted(alice, mallory)
})
afterEach(async () => {
  await mallory.stop()
  await until(idle, { timeoutMs: 20_000, what: 'the engine to be free again' })
  expect(await answerFor(alice)).toBe('done')
  await until(idle, { timeoutMs: 20_000, what: 'the engine to be idle for the next test' })
  await alice.stop()
}, 60_000)

const idle = (): boolean => {
  const { busy, queued } = llama.host.load()
  return busy + queued === 0
}

async function admitted(peer: TestPeer, node: RawNode): Promise<Connection> {
  const { url } = await peer.mesh.invite({ confirmation: 'in-advance', person: 'Mallory' })
  const opened = await node.dial(peer)
  await readFrame(await node.prove(opened, url))
  return opened
}

/** Asks like an honest person of Alice's. */
async function answerFor(peer: TestPeer): Promise<string> {
  const question = { messages: [{ role: 'user' as const, content: 'hello' }], sampling: { maxTokens: 8 } }
  for await (const event of peer.mesh.ask(question, { signal: AbortSignal.timeout(60_000) })) {
    if (event.type === 'end') return 'done'
  }
  return 'nothing'
}

async function ask(change: Record<string, unknown> = {}, over = connection): Promise<FrameStream> {
  const stream = await mallory.open(over, INFER)
  await stream.write({
    type: 'ask',
    id: 'm1',
    model: llama.model,
    messages: [{ role: 'user', content: 'x' }],
    sampling: {},
    credit: 1024,
    ...change,
  })
  return stream
}

async function lastFrame(stream: FrameStream): Promise<Frame> {
  for (;;) {
    const frame = await readFrame(stream, 20_000)
    if (frame['type'] === 'end') return frame
  }
}

test('sixteen askers that never grant credit hold no sequence: others are answered', async () => {
  await Promise.all(Array.from({ length: INFER_STREAMS_MAX }, () => ask({ credit: 0, sampling: { maxTokens: 100 } })))
  await until(() => llama.host.load().busy > 0, { what: 'the questions to run' })
  expect(await answerFor(alice)).toBe('done')
  await until(idle, { timeoutMs: 20_000, what: 'the engine to be done with them' })
})

test('one device has no more than its share of questions, over however many connections', async () => {
  const engine = createTestEngine({ clock: systemClock })
  const bob = await startPeer('Bob', { engines: engine })
  engine.stall()
  // of one's own person: others have fewer places in the line of the engines
  const { url } = await bob.mesh.invite({ confirmation: 'in-advance' })
  const first = await mallory.dial(bob)
  await readFrame(await mallory.prove(first, url))
  for (const over of [first, await mallory.dial(bob)]) {
    for (let count = 0; count < INFER_STREAMS_MAX / 2; count++) {
      expect(['reading', 'queued']).toContain((await readFrame(await ask({ model: 'test-model' }, over)))['type'])
    }
  }
  await expect(readFrame(await ask({ model: 'test-model' }, first))).rejects.toMatchObject({ code: 'busy' })
  await mallory.stop()
  await until(() => engine.load().busy + engine.load().queued === 0, { what: 'their places to be free' })
  await bob.stop()
})

test.each<[string, Record<string, unknown>]>([
  ['top-p 0', { topP: 0 }],
  ['the largest seed', { seed: Number.MAX_SAFE_INTEGER }],
  ['the smallest seed', { seed: Number.MIN_SAFE_INTEGER }],
  ['a stop string of one character that is met at once', { stop: ['a', 'b', 'c', 'd'] }],
  ['the longest stop strings', { stop: ['a', 'b', 'c', 'd'].map((char) => char.repeat(1024)) }],
  ['a million tokens', { maxTokens: 1_000_000 }],
  ['the hottest sampling', { temperature: 2, topP: 1, presencePenalty: 2, frequencyPenalty: -2 }],
])('%s is answered to an end', async (_what, sampling) => {
  const end = await lastFrame(await ask({ sampling: { maxTokens: 64, temperature: 0, ...sampling } }))
  expect(end).toMatchObject({ type: 'end' })
})

test.each<[string, Record<string, unknown>]>([
  ['top-p above 1', { sampling: { topP: 1.1 } }],
  ['a seed that is no whole number', { sampling: { seed: 1.5 } }],
  ['an empty stop string', { sampling: { stop: [''] } }],
  ['no message', { messages: [] }],
  ['one message too many', { messages: Array.from({ length: PROMPT_MAX_MESSAGES + 1 }, () => ({ role: 'user', content: 'x' })) }], // prettier-ignore
  ['more credit than there is', { credit: 1025 }],
])('%s is refused before the engine hears of it', async (_what, change) => {
  await expect(readFrame(await ask(change))).rejects.toMatchObject({ code: 'malformed' })
})

test('a prompt of the longest size is refused for its length, and the engine is not held up by it', async () => {
  const half = 'lorem ipsum '.repeat(PROMPT_MAX_LENGTH).slice(0, PROMPT_MAX_LENGTH / 2)
  const long = { messages: [{ role: 'user', content: half }, { role: 'user', content: 'a'.repeat(PROMPT_MAX_LENGTH / 2) }] } // prettier-ignore
  const startedAt = performance.now()
  await expect(lastFrame(await ask(long))).rejects.toMatchObject({ code: 'engine-context' })
  expect(performance.now() - startedAt).toBeLessThan(10_000)
  const many = { messages: Array.from({ length: PROMPT_MAX_MESSAGES }, () => ({ role: 'user', content: 'hello' })) }
  await expect(lastFrame(await ask(many))).rejects.toMatchObject({ code: 'engine-context' })
  const tooLong = { messages: [...long.messages, { role: 'user', content: 'b' }] }
  await expect(lastFrame(await ask(tooLong))).rejects.toMatchObject({ code: 'too-large' })
})

test.each<[string, (stream: FrameStream) => unknown]>([
  ['garbage', (stream) => stream.write({ type: 'nonsense' })],
  ['a second question', (stream) => stream.write({ type: 'ask', id: 'm2' })],
  ['the end of its side', (stream) => { stream.close() }], // prettier-ignore
  ['a reset', (stream) => { stream.abort(new Error('reset')) }], // prettier-ignore
  ['a cancel', (stream) => stream.write({ type: 'cancel' })],
])('%s after the question stops the engine', async (_what, act) => {
  const stream = await ask({ credit: 0 })
  await until(() => llama.host.load().busy > 0, { what: 'the question to run' })
  // Alice may have cut the stream before the write has resolved: that is no less an end
  await Promise.resolve(act(stream)).catch(() => undefined)
  await until(idle, { what: 'the engine to stop' })
})

test('grants without end change nothing', async () => {
  const stream = await ask({ sampling: { maxTokens: 200 } })
  for (let count = 0; count < 500; count++) await stream.write({ type: 'grant', frames: 1024 })
  expect(await lastFrame(stream)).toMatchObject({ type: 'end', usage: { completionTokens: 200 } })
})

test('an asker that takes nothing for a minute is cut, and its place is free', async () => {
  const clock = createVirtualClock()
  const engine = createTestEngine({ clock: systemClock, slots: 1 })
  const bob = await startPeer('Bob', { engines: engine, clock })
  const over = await admitted(bob, mallory)
  const stream = await ask({ model: 'test-model', credit: 1 }, over)
  await until(() => engine.load().busy === 1, { what: 'the question to run' })
  await until(async () => (await readFrame(stream))['type'] === 'text', { what: 'the first text' })
  await expect
    .poll(
      async () => {
        await clock.advanceAsync(INFER_STALL_MS / 4)
        return engine.load().busy
      },
      { timeout: 10_000 },
    )
    .toBe(0)
  await expect(readFrame(stream)).rejects.toMatchObject({ code: 'timeout' })
  const stopped = bob.stop()
  await clock.advanceAsync(1_000)
  await stopped
})
