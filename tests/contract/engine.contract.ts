import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isMeshError, type ModelId } from '../../mesh/base/index.ts'
import type { ChatMessage, EngineHost, GenerateEvent, Sampling } from '../../mesh/engine/index.ts'
import { until } from '../kit/wait.ts'

/** An engine under test; its model answers anything with at least 20 tokens. */
export interface EngineUnderTest {
  readonly host: EngineHost
  readonly model: ModelId
  stop(): Promise<void>
}

type EndEvent = Extract<GenerateEvent, { type: 'end' }>

const QUESTION: ChatMessage = { role: 'user', content: 'Tell me something.' }

/** What every engine host promises, whatever is behind it. */
export function engineContract(name: string, make: () => Promise<EngineUnderTest>): void {
  describe(`the engine contract: ${name}`, () => {
    let engine: EngineUnderTest

    beforeAll(async () => {
      engine = await make()
    }, 60_000)
    afterAll(async () => {
      await engine.stop()
    })

    const start = (
      messages: readonly ChatMessage[],
      sampling: Sampling,
      signal = new AbortController().signal,
    ): AsyncIterable<GenerateEvent> => engine.host.generate({ model: engine.model, messages, sampling }, { signal })

    const ask = async (
      sampling: Sampling,
      messages: readonly ChatMessage[] = [QUESTION],
    ): Promise<{ text: string; events: GenerateEvent[]; end: EndEvent }> => {
      const events: GenerateEvent[] = []
      for await (const event of start(messages, { maxTokens: 20, temperature: 0, ...sampling })) events.push(event)
      const end = events.at(-1)
      expect(end?.type).toBe('end')
      return { text: textOf(events), events, end: end as EndEvent }
    }

    const isIdle = async (): Promise<void> => {
      await until(() => engine.host.load().busy === 0 && engine.host.load().queued === 0, {
        what: 'the engine to hold no request',
        timeoutMs: 5_000,
      })
    }

    test('it tells phases, then text, then one end, and the counts agree', async () => {
      const { events, end } = await ask({ maxTokens: 12 })
      const order = ['queued', 'loading', 'reading', 'text', 'end']
      const places = events.map((event) => order.indexOf(event.type))
      expect(places).toEqual([...places].sort((a, b) => a - b))
      expect(events.filter((event) => event.type === 'end')).toHaveLength(1)
      expect(end.usage.completionTokens).toBeGreaterThan(0)
      expect(end.usage.completionTokens).toBeLessThanOrEqual(12)
      expect(end.usage.cachedTokens).toBeLessThan(end.usage.promptTokens)
      expect(end.timings.firstTokenMs).toBeGreaterThanOrEqual(end.timings.prefillMs)
    })

    test('an answer cut at the token limit says so', async () => {
      const { end } = await ask({ maxTokens: 5 })
      expect(end.finish).toBe('length')
      expect(end.usage.completionTokens).toBe(5)
    })

    test('without chance, the same question gets the same answer', async () => {
      expect((await ask({})).text).toBe((await ask({})).text)
    })

    test('with chance, the same seed gives the same answer', async () => {
      const sampling = { temperature: 1.2, seed: 4_242 }
      expect((await ask(sampling)).text).toBe((await ask(sampling)).text)
    })

    test('the text ends before a stop string, also when it lies across tokens, and nothing of it is told', async () => {
      const whole = (await ask({})).text
      const stop = [...whole].slice(4, 11).join('')
      const { text, end } = await ask({ stop: [stop] })
      expect(text).toBe(whole.slice(0, whole.indexOf(stop)))
      expect(end.finish).toBe('stop')
    })

    test('text that only begins like a stop string is told whole', async () => {
      const whole = (await ask({})).text
      expect((await ask({ stop: [`${[...whole].slice(2, 6).join('')}\u0001`] })).text).toBe(whole)
    })

    test('no piece of text holds half a character', async () => {
      const { events } = await ask({})
      for (const event of events) {
        if (event.type === 'text') expect(event.text.isWellFormed() && !event.text.includes('\uFFFD')).toBe(true)
      }
    })

    test('an assistant message at the end is continued', async () => {
      const whole = (await ask({})).text
      const begun = [...whole].slice(0, 7).join('')
      const { text } = await ask({ maxTokens: 4 }, [QUESTION, { role: 'assistant', content: begun }])
      expect(whole.slice(begun.length).startsWith(text)).toBe(true)
    })

    test('a conversation that does not fit is refused before anything is read, with both numbers', async () => {
      const messages: ChatMessage[] = [{ role: 'user', content: 'long '.repeat(5_000) }]
      const events: GenerateEvent[] = []
      const failure = await failureOf(async () => {
        for await (const event of start(messages, {})) events.push(event)
      })
      expect(isMeshError(failure, 'engine-context') && failure.detail).toMatchObject({
        maxTokens: expect.any(Number) as number,
        gotTokens: expect.any(Number) as number,
      })
      expect(events.filter((event) => event.type === 'reading' || event.type === 'text')).toEqual([])
    })

    test('a model that is not here is refused by name', async () => {
      const failure = await failureOf(async () => {
        const request = { model: 'no-such-model' as ModelId, messages: [QUESTION], sampling: {} }
        for await (const event of engine.host.generate(request, { signal: new AbortController().signal }))
          expect(event).toBeDefined()
      })
      expect(isMeshError(failure, 'model-unknown')).toBe(true)
    })

    test('a stop while it writes ends the answer, frees the engine, and no text follows', async () => {
      const controller = new AbortController()
      const seen: GenerateEvent[] = []
      let seenAtStop = 0
      const failure = await failureOf(async () => {
        for await (const event of start([QUESTION], { temperature: 0 }, controller.signal)) {
          seen.push(event)
          if (event.type !== 'text') continue
          controller.abort()
          seenAtStop = seen.length
        }
      })
      expect(isMeshError(failure, 'aborted')).toBe(true)
      expect(seen).toHaveLength(seenAtStop)
      await isIdle()
      expect((await ask({})).text).not.toBe('')
    })

    test('a stop while it reads the prompt ends it before the first word', async () => {
      const controller = new AbortController()
      const seen: GenerateEvent[] = []
      const failure = await failureOf(async () => {
        const messages: ChatMessage[] = [{ role: 'user', content: 'word '.repeat(60) }]
        for await (const event of start(messages, {}, controller.signal)) {
          seen.push(event)
          if (event.type === 'reading') controller.abort()
        }
      })
      expect(isMeshError(failure, 'aborted')).toBe(true)
      expect(textOf(seen)).toBe('')
      await isIdle()
    })

    test('leaving the loop early frees the engine', async () => {
      for await (const event of start([QUESTION], {})) {
        if (event.type === 'text') break
      }
      await isIdle()
    })

    test('a request that was stopped before it began costs nothing', async () => {
      const failure = await failureOf(async () => {
        for await (const event of start([QUESTION], {}, AbortSignal.abort())) expect(event).toBeDefined()
      })
      expect(isMeshError(failure, 'aborted')).toBe(true)
      expect(engine.host.load().busy).toBe(0)
    })

    test('twelve requests at once are all answered as if they were alone', async () => {
      const alone = (await ask({})).text
      const answers = await Promise.all(Array.from({ length: 12 }, () => ask({})))
      expect(answers.map(({ text }) => text)).toEqual(new Array(12).fill(alone))
      await isIdle()
    })

    test('a request that waits can be stopped and does not hold up those behind it', async () => {
      const controller = new AbortController()
      const { slots } = engine.host.load()
      const before = Array.from({ length: slots }, () => ask({}))
      const stopped = failureOf(async () => {
        for await (const event of start([QUESTION], { maxTokens: 20 }, controller.signal)) expect(event).toBeDefined()
      })
      const after = ask({})
      controller.abort()
      expect(isMeshError(await stopped, 'aborted')).toBe(true)
      await Promise.all([...before, after])
      await isIdle()
    })
  })
}

function textOf(events: readonly GenerateEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.text : '')).join('')
}

async function failureOf(work: () => Promise<void>): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  return expect.fail('It succeeded, and a failure was expected.')
}
