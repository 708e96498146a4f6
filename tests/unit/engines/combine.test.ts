import { expect, test } from 'vitest'
import { combineHosts, type HelperEngineHost } from '../../../helper/engines/index.ts'
import { MeshError, silentLogger, type ModelId } from '../../../mesh/base/index.ts'
import type { GenerateEvent } from '../../../mesh/engine/index.ts'
import { systemClock } from '../../../helper/ports/clock.ts'
import { createTestEngine, testModel, type TestEngine } from '../../kit/engine.ts'

interface Played extends HelperEngineHost, Pick<TestEngine, 'setModels'> {
  readonly started: string[]
  fails: MeshError | undefined
}

function played(names: readonly string[], answer: string): Played {
  const engine = createTestEngine({
    clock: systemClock,
    models: names.map((id) => testModel({ id })),
    answer: () => answer,
  })
  const host: Played = Object.assign(engine, {
    started: [] as string[],
    fails: undefined as MeshError | undefined,
    start: () => (host.fails === undefined ? Promise.resolve() : Promise.reject(host.fails)),
    prepare: (id: string) => Promise.resolve(void host.started.push(id)),
    stop: () => Promise.resolve(void host.started.push('stopped')),
  })
  return host
}

async function textOf(events: AsyncIterable<GenerateEvent>): Promise<string> {
  let text = ''
  for await (const event of events) if (event.type === 'text') text += event.text
  return text
}

const ask = (host: HelperEngineHost, model: string): AsyncIterable<GenerateEvent> =>
  host.generate(
    { model: model as ModelId, messages: [{ role: 'user', content: 'hello' }], sampling: {} },
    { signal: new AbortController().signal },
  )

test('a model is answered by the first engine that has it, and named once', async () => {
  const [first, second] = [played(['a', 'both'], 'one'), played(['both', 'b'], 'two')]
  const all = combineHosts([first, second], silentLogger)
  expect(all.models().map((model) => model.id)).toEqual(['a', 'both', 'b'])
  expect(await textOf(ask(all, 'both'))).toContain('one')
  expect(await textOf(ask(all, 'b'))).toContain('two')
  await all.prepare('b')
  expect(second.started).toEqual(['b'])
  await expect(textOf(ask(all, 'c'))).rejects.toMatchObject({ code: 'model-unknown' })
})

test('the load is that of all engines, and a change of any is told until the end', async () => {
  const [first, second] = [played(['a'], ''), played(['b'], '')]
  const all = combineHosts([first, second], silentLogger)
  let told = 0
  all.changes.subscribe(() => (told += 1))
  expect(all.load().slots).toBe(first.load().slots + second.load().slots)
  second.setModels([testModel({ id: 'c' })])
  expect(told).toBe(1)
  expect(all.models().map((model) => model.id)).toEqual(['a', 'c'])
  await all.stop()
  expect([first.started, second.started]).toEqual([['stopped'], ['stopped']])
})

test('an engine that cannot start is said, and the others answer all the same', async () => {
  const [first, second] = [played(['a'], 'one'), played(['b'], 'two')]
  first.fails = new MeshError('engine-load', 'No.')
  const all = combineHosts([first, second], silentLogger)
  await expect(all.start()).rejects.toMatchObject({ code: 'engine-load' })
  expect(await textOf(ask(all, 'b'))).toContain('two')
})
