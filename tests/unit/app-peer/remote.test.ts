import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createCaller,
  createHearing,
  createServer,
  MESH,
  type Caller,
  type Hearing,
  type Server,
} from '../../../app/peer/remote/index.ts'
import { CALLS_MAX, STREAM_CREDIT, STREAM_IDLE_MS, TAKEN_WITHIN_MS } from '../../../app/peer/remote/limits.ts'
import { MeshError, silentLogger } from '../../../mesh/base/index.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import type { AskEvent } from '../../../mesh/route/index.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../kit/clock.ts'
import { createTestMesh, type TestMesh } from './test-mesh.ts'

const LEADER = { tab: 'leader', epoch: 7 }

interface Line {
  readonly clock: VirtualClock
  readonly mesh: TestMesh
  readonly server: Server
  readonly caller: Caller
  readonly hearing: Hearing
  readonly posted: unknown[]
  silences: number
  /** What the server says is lost from here on. */
  cut(): void
}

/** A server and a caller with a line between them. */
function openLine(options: { mesh?: Partial<Mesh>; ready?: Promise<void> } = {}): Line {
  const clock = createVirtualClock()
  const mesh = Object.assign(createTestMesh(), options.mesh)
  const posted: unknown[] = []
  let isCut = false
  const log = silentLogger
  const server: Server = createServer({
    ...{ clock, log, self: LEADER.tab, epoch: LEADER.epoch },
    served: { mesh: { shape: MESH, facade: () => mesh } },
    ready: options.ready ?? Promise.resolve(),
    onAttach: () => undefined,
    beforeReply: () => undefined,
    post(message) {
      posted.push(message)
      const copy: unknown = structuredClone(message)
      if (!isCut) void Promise.resolve().then(() => caller.hear(copy))
    },
  })
  const caller: Caller = createCaller({
    ...{ clock, log, self: 'follower' },
    post(message) {
      const copy: unknown = structuredClone(message)
      void Promise.resolve().then(() => {
        server.hear(copy)
      })
    },
    onSilence: () => {
      line.silences += 1
    },
  })
  const refresh = (): Promise<void> => Promise.resolve()
  const hearing = createHearing({ log, caller, attach: () => undefined, refresh })
  const cut = (): void => {
    isCut = true
  }
  const line: Line = { clock, mesh, server, caller, hearing, posted, silences: 0, cut }
  caller.leaderIs(LEADER)
  hearing.follow(LEADER)
  return line
}

const question = { messages: [{ role: 'user', content: 'one' }], sampling: {} } as const
const word = (text: string): AskEvent => ({ type: 'text', text, tokenCount: 1 })
const ask = (line: Line, signal = new AbortController().signal): AsyncIterator<unknown> =>
  line.caller.stream('mesh.ask', MESH.ask, [question, { signal }])[Symbol.asyncIterator]()

describe('a stream between tabs', () => {
  it('comes item by item, and the tab that gives waits for the one that takes', async () => {
    const line = openLine()
    const items = ask(line)
    const first = items.next()
    await settle()
    for (let index = 0; index < 300; index++) line.mesh.asked[0]?.say(word(String(index)))
    await settle()
    expect(await first).toEqual({ done: false, value: word('0') })
    expect(line.posted.filter((each) => (each as { type: string }).type === 'item')).toHaveLength(STREAM_CREDIT)
    for (let index = 1; index < 300; index++) expect((await items.next()).value).toEqual(word(String(index)))
  })

  it('ends the work in the other tab when its reader leaves or gives the signal', async () => {
    const line = openLine()
    const items = ask(line)
    const first = items.next()
    await settle()
    line.mesh.asked[0]?.say(word('one'))
    await first
    await items.return?.()
    await settle()
    expect(line.mesh.asked[0]?.left()).toBe(true)

    const stop = new AbortController()
    const second = ask(line, stop.signal).next()
    await settle()
    stop.abort()
    await expect(second).rejects.toMatchObject({ code: 'aborted' })
    await settle()
    expect(line.mesh.asked[1]?.left()).toBe(true)
  })

  it('fails as it failed there', async () => {
    const line = openLine()
    const next = ask(line).next()
    await settle()
    line.mesh.asked[0]?.fail(new MeshError('engine-context', 'Too long.', { detail: { maxTokens: 5, gotTokens: 9 } }))
    await expect(next).rejects.toMatchObject({ code: 'engine-context', detail: { maxTokens: 5, gotTokens: 9 } })
  })

  it('is given up when its reader is gone without a word', async () => {
    const line = openLine()
    void ask(line).next()
    await settle()
    for (let index = 0; index < 100; index++) line.mesh.asked[0]?.say(word('x'))
    await line.clock.advanceAsync(STREAM_IDLE_MS + 10)
    expect(line.mesh.asked[0]?.left()).toBe(true)
  })
})

describe('a call between tabs', () => {
  it('is acknowledged only when the other tab is done', async () => {
    const written = Promise.withResolvers<void>()
    const line = openLine({ mesh: { rename: () => written.promise } })
    let done = false
    const call = line.caller.call('mesh.rename', MESH.rename, ['12D3KooWThis', 'x']).then(() => (done = true))
    await line.clock.advanceAsync(60_000)
    expect([done, line.silences]).toEqual([false, 0])
    written.resolve()
    await call
  })

  it('fails as moved when another tab leads, and what comes from the old one counts for nothing', async () => {
    const line = openLine({ mesh: { rename: () => new Promise(() => undefined) } })
    const call = line.caller.call('mesh.rename', MESH.rename, ['12D3KooWThis', 'x'])
    await settle()
    line.caller.leaderIs({ tab: 'other', epoch: 8 })
    await expect(call).rejects.toMatchObject({ code: 'peer-gone', retryable: true, detail: { moved: true } })
  })

  it('is told to be untaken after three seconds, and is left alone by a tab that reads it later', async () => {
    const late: unknown[] = []
    const clock = createVirtualClock()
    let silences = 0
    const ports = { clock, log: silentLogger, self: 'follower', onSilence: () => silences++ }
    const caller = createCaller({ ...ports, post: (message) => late.push(structuredClone(message)) })
    caller.leaderIs(LEADER)
    const call = caller.call('mesh.wake', MESH.wake, [])
    await Promise.all([
      expect(call).rejects.toMatchObject({ code: 'peer-gone' }),
      clock.advanceAsync(TAKEN_WITHIN_MS + 1),
    ])
    expect(silences).toBe(1)
    const line = openLine()
    line.clock.jumpWallClock(TAKEN_WITHIN_MS + 1)
    for (const message of late) line.server.hear(message)
    await settle()
    expect(line.mesh.wakes).toBe(0)
    expect(line.posted).toEqual([])
  })

  it('is not answered by a tab whose term is another, or over', async () => {
    const line = openLine()
    const call = {
      type: 'call',
      from: 'f',
      to: 'leader',
      id: 1,
      name: 'mesh.wake',
      args: [],
      options: undefined,
      taps: [],
    }
    const takenBy = line.clock.now() + 1_000
    for (const wrong of [{ epoch: 6 }, { epoch: 8 }, { epoch: 7, to: 'another' }])
      line.server.hear({ ...call, takenBy, ...wrong })
    await settle()
    line.server.close()
    line.server.hear({ ...call, takenBy, epoch: 7 })
    await settle()
    expect(line.mesh.wakes).toBe(0)
    expect(line.posted).toEqual([])
  })

  it('is refused when too many are open, and runs no member that is not in the table', async () => {
    const line = openLine({ mesh: { rename: () => new Promise(() => undefined) } })
    const head = { type: 'call', from: 'f', to: 'leader', epoch: 7, options: undefined, taps: [] }
    const takenBy = line.clock.now() + 1_000
    for (let id = 0; id <= CALLS_MAX; id++) {
      line.server.hear({ ...head, takenBy, id, name: 'mesh.rename', args: ['12D3KooWThis', 'x'] })
    }
    await settle()
    expect(line.posted.at(-1)).toMatchObject({ type: 'failed', id: CALLS_MAX, error: { code: 'busy' } })
    for (const name of [
      'mesh.stop',
      'mesh.constructor',
      'mesh.__proto__',
      'constructor.name',
      'toString',
      'mesh.devices',
    ]) {
      line.server.hear({ ...head, from: 'g', takenBy, id: 1, name, args: [] })
      await settle()
      expect(line.posted.at(-1)).toMatchObject({ type: 'failed', error: { code: 'unsupported' } })
    }
    expect(line.mesh.stopped).toBe(false)
  })

  it('waits until the last term is in order', async () => {
    const ready = Promise.withResolvers<void>()
    const line = openLine({ ready: ready.promise })
    const call = line.caller.call('mesh.rename', MESH.rename, ['12D3KooWThis', 'x'])
    await line.clock.advanceAsync(10_000)
    expect(line.mesh.done).toEqual([])
    ready.resolve()
    await call
    expect(line.mesh.done).toHaveLength(1)
  })

  it('with arguments of another shape is refused on both sides', async () => {
    const line = openLine()
    await expect(line.caller.call('mesh.rename', MESH.rename, [5, 'x'])).rejects.toMatchObject({ code: 'unsupported' })
    const head = { type: 'call', from: 'f', to: 'leader', epoch: 7, takenBy: line.clock.now() + 1_000, taps: [] }
    line.server.hear({ ...head, id: 1, name: 'mesh.rename', args: [{}, 'x'], options: undefined })
    await settle()
    expect(line.posted.at(-1)).toMatchObject({ type: 'failed', error: { code: 'unsupported' } })
    expect(line.mesh.done).toEqual([])
  })
})

describe('what another tab says', () => {
  const words = fc.oneof(
    fc.anything(),
    fc.record(
      {
        type: fc.constantFrom('call', 'cancel', 'grant', 'attach', 'taken', 'tap', 'item', 'done', 'failed', 'told'),
        from: fc.constantFrom('leader', 'follower', 'x'),
        to: fc.constantFrom('leader', 'follower', 'x'),
        epoch: fc.constantFrom(7, 8, -1, NaN),
        id: fc.constantFrom(1, 0, -1, '1'),
        name: fc.constantFrom('mesh.rename', 'mesh.ask', 'mesh.__proto__', 'a.b.c', ''),
        args: fc.array(fc.anything(), { maxLength: 3 }),
        taps: fc.constantFrom([], ['onProgress'], ['__proto__']),
        takenBy: fc.constantFrom(9e15, 0, NaN),
        sequence: fc.nat(),
        peer: fc.constantFrom({ running: true }, {}, undefined),
        snapshots: fc.dictionary(fc.string(), fc.anything()),
        events: fc.array(fc.anything()),
        answers: fc.array(fc.anything()),
        ended: fc.array(fc.anything()),
        value: fc.anything(),
        count: fc.integer(),
      },
      { requiredKeys: ['type'] },
    ),
  )

  it('breaks nothing, whatever it is', async () => {
    const line = openLine()
    const waits = line.caller.call('mesh.join', MESH.join, ['join=x']).catch(() => undefined)
    fc.assert(
      fc.property(words, (message) => {
        line.server.hear(message)
        line.caller.hear(message)
        line.hearing.hear(message)
      }),
      { numRuns: process.env['PLEXUS_TEST_FULL'] === '1' ? 20_000 : 1_000 },
    )
    await settle()
    expect(line.mesh.stopped).toBe(false)
    line.caller.leaderIs(undefined)
    await waits
  })

  it('in another version is said to be so, and can be taken over from', () => {
    const line = openLine()
    line.hearing.hear({ type: 'told', from: 'leader', epoch: 7, sequence: 0, peer: { running: 'very' } })
    expect(line.hearing.problem()).toMatchObject({ code: 'unsupported' })
    expect(line.hearing.mesh()).toBeUndefined()
  })
})
