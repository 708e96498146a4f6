import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import {
  INFER_ANSWER_MAX_LENGTH,
  INFER_NO_PROGRESS_MS,
  INFER_TOKEN_MAX_LENGTH,
  type ModelId,
} from '../../mesh/base/index.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import { echoEngine } from '../kit/echo-engine.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { FORGED_MODEL, startRolePeer } from '../kit/role-peer.ts'

// A device that may answer, with software of its own, and what its answers cost whoever asks.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

async function asker(answer: (stream: FrameStream) => Promise<void>, clock = systemClock): Promise<TestPeer> {
  const alice = await startPeer('Alice', { engines: echoEngine(0), clock })
  running.push(alice)
  running.unshift(await startRolePeer(alice, 'helper-only', { answer }))
  return alice
}

async function heard(alice: TestPeer, sampling: { maxTokens?: number }): Promise<{ length: number; code: unknown }> {
  let length = 0
  const question = { messages: [{ role: 'user' as const, content: 'hi' }], model: FORGED_MODEL as ModelId, sampling }
  try {
    for await (const event of alice.mesh.ask(question, { signal: new AbortController().signal }))
      if (event.type === 'text') length += event.text.length
  } catch (error) {
    return { length, code: (error as { code?: string }).code }
  }
  return { length, code: undefined }
}

const endless = async (stream: FrameStream): Promise<void> => {
  const text = 'x'.repeat(64 * 1024)
  for (let sequence = 0; ; sequence++) await stream.write({ type: 'text', sequence, text, tokenCount: 1 })
}

test.each<[string, { maxTokens?: number }, number]>([
  ['than any is', {}, INFER_ANSWER_MAX_LENGTH],
  ['than it was to be', { maxTokens: 100 }, 100 * INFER_TOKEN_MAX_LENGTH],
])('an answer that is longer %s is ended', async (_what, sampling, most) => {
  const { length, code } = await heard(await asker(endless), sampling)
  expect(code).toBe('too-large')
  expect(length).toBeLessThanOrEqual(most)
})

test('signs of life without any progress keep nobody waiting for ever', async () => {
  let aheadMs = 0
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs }
  const alice = await asker(async (stream) => {
    for (let ahead = 0; ; ahead++) {
      await stream.write({ type: 'queued', ahead: ahead % 2 })
      aheadMs += INFER_NO_PROGRESS_MS / 10
      await new Promise((resolve) => setImmediate(resolve))
    }
  }, clock)
  expect(await heard(alice, {})).toEqual({ length: 0, code: 'timeout' })
})
