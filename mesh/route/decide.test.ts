import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMeshError, type DeviceId, type ModelId } from '../base/index.ts'
import type { ModelRecord } from '../engine/index.ts'
import { decideRoute, type RoutableDevice } from './decide.ts'
import type { AskRequest } from './route.ts'

const model = (id: string, state: ModelRecord['state'] = 'ready', speed?: number): ModelRecord => ({
  id: id as ModelId,
  sizeBytes: 100_000_000,
  sha256: '',
  contextTokens: 2048,
  state,
  addedAt: 0,
  ...(speed === undefined
    ? {}
    : { speed: { prefillTokensPerSecond: speed, decodeTokensPerSecond: speed / 10, measuredAt: 0 } }),
})

const device = (id: string, more: Partial<RoutableDevice> = {}): RoutableDevice => ({
  id: id as DeviceId,
  name: id,
  path: 'direct',
  rttMs: 2,
  models: [model('small')],
  load: { slots: 2, busy: 0, queued: 0 },
  forbidden: null,
  ...more,
})

const ask: AskRequest = { messages: [{ role: 'user', content: 'x'.repeat(700) }], sampling: {} }

test('the device with the shortest predicted time to the first word answers', () => {
  const route = decideRoute(
    ask,
    [
      device('slow', { models: [model('small', 'ready', 50)] }),
      device('fast', { models: [model('small', 'ready', 5_000)] }),
    ],
    7,
  )
  expect(route).toMatchObject({ device: 'fast', reason: 'fastest-first-word', decidedAt: 7 })
  expect(route.candidates.map((one) => one.verdict)).toEqual(['possible', 'chosen'])
})

test('a device with a full queue loses against a slower idle one', () => {
  const busy = device('busy', { models: [model('small', 'ready', 5_000)], load: { slots: 1, busy: 1, queued: 3 } })
  expect(decideRoute(ask, [busy, device('idle', { models: [model('small', 'ready', 100)] })], 0).device).toBe('idle')
})

test('what cannot answer is refused with its rule', () => {
  const devices = [
    device('ok'),
    device('gone', { path: 'none' }),
    device('bare', { models: [] }),
    device('browser', { load: { slots: 0, busy: 0, queued: 0 } }),
    device('fetching', { models: [model('small', 'downloading')] }),
  ]
  const { candidates } = decideRoute({ ...ask, model: 'small' as ModelId }, devices, 0)
  expect(Object.fromEntries(candidates.map((one) => [one.device, one.refusal]))).toEqual({
    ok: undefined,
    gone: 'unreachable',
    bare: 'no-model',
    browser: 'no-engine',
    fetching: 'model-not-ready',
  })
})

test.each([
  ['a device nobody knows', { ...ask, device: 'nobody' as DeviceId }, 'device-unknown'],
  ['a device that is away', { ...ask, device: 'gone' as DeviceId }, 'offline'],
  ['a model nobody has', { ...ask, model: 'large' as ModelId }, 'model-unknown'],
] as const)('%s is a clear error', (_, request, code) => {
  expect(() => decideRoute(request, [device('ok'), device('gone', { path: 'none' })], 0)).toThrow(
    expect.objectContaining({ code }),
  )
})

test('a mesh without a ready model says so', () => {
  expect(() => decideRoute(ask, [device('fetching', { models: [model('small', 'downloading')] })], 0)).toThrow(
    expect.objectContaining({ code: 'model-unavailable' }),
  )
})

test('whatever the devices are, the chosen one can answer and no candidate scores better', () => {
  const anyDevice = fc.record({
    path: fc.constantFrom('self' as const, 'direct' as const, 'none' as const),
    rttMs: fc.option(fc.integer({ min: 0, max: 500 })),
    models: fc.array(
      fc.tuple(
        fc.constantFrom('a', 'b'),
        fc.constantFrom('ready' as const, 'available' as const, 'downloading' as const, 'failed' as const),
        fc.integer({ min: 1, max: 5000 }),
      ),
      { maxLength: 3 },
    ),
    load: fc.record({
      slots: fc.integer({ min: 0, max: 4 }),
      busy: fc.integer({ min: 0, max: 4 }),
      queued: fc.integer({ min: 0, max: 9 }),
    }),
  })
  fc.assert(
    fc.property(
      fc.array(anyDevice, { maxLength: 12 }),
      fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
      (raw, wanted) => {
        const devices = raw.map((one, index) =>
          device(`d${String(index)}`, {
            ...one,
            models: one.models.map(([id, state, speed]) => model(id, state, speed)),
          }),
        )
        const request: AskRequest = { ...ask, model: wanted as ModelId | undefined }
        try {
          const route = decideRoute(request, devices, 0)
          const chosen = devices.find((one) => one.id === route.device)
          expect(chosen?.path).not.toBe('none')
          expect(chosen?.load.slots).toBeGreaterThan(0)
          expect(
            chosen?.models.some(
              (one) => one.id === route.model && (one.state === 'ready' || one.state === 'available'),
            ),
          ).toBe(true)
          const scores = route.candidates.flatMap((one) =>
            one.verdict === 'refused' ? [] : [one.score?.firstTokenMs ?? Infinity],
          )
          const best = route.candidates.find((one) => one.verdict === 'chosen')?.score?.firstTokenMs
          expect(best).toBe(Math.min(...scores))
        } catch (error) {
          expect(isMeshError(error)).toBe(true)
        }
      },
    ),
    { numRuns: 1_000 },
  )
})

test('only the devices that may read a question are candidates, however fast another is', () => {
  const devices = [
    device('member', { models: [model('small', 'ready', 50)] }),
    device('fast', { models: [model('small', 'ready', 5_000)] }),
  ]
  const route = decideRoute({ ...ask, among: ['member' as DeviceId] }, devices, 0)
  expect(route.device).toBe('member')
  expect(route.candidates.find((one) => one.device === 'fast')?.refusal).toBe('not-in-room')
  expect(() => decideRoute({ ...ask, among: [] }, devices, 0)).toThrow()
})
