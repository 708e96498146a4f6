import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLlamaHost, type HelperEngineHost } from '../../helper/engines/index.ts'
import { createModelLibrary, type ModelLibrary } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { ENGINE_LOADS_BURST, silentLogger, type MeshError } from '../../mesh/base/index.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { playEngine, type PlayedEngine } from '../kit/engine-link.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame } from '../kit/raw-node.ts'
import { startRolePeer, type RolePeer } from '../kit/role-peer.ts'

// A guest asks for one model after the other, which an engine has to read from the disk each
// time. Over the wire, with the real host; the engine processes are played.

const NAMES = ['one', 'two', 'three'] as const
const END = {
  type: 'end',
  finish: 'stop',
  usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 },
  timings: { queueMs: 0, prefillMs: 1, firstTokenMs: 1, decodeMs: 1 },
} as const

let folder: string
let library: ModelLibrary
let host: HelperEngineHost
let alice: TestPeer
let guest: RolePeer
let engines: PlayedEngine[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-turn-'))
  for (const [index, name] of NAMES.entries())
    await writeTinyGguf(join(folder, `${name}.gguf`), { width: 16, layers: 1, seed: index + 1 })
  library = await createModelLibrary({ dataDir: folder, clock: systemClock, log: silentLogger, offline: true })
  for (const name of NAMES) await library.addFile(join(folder, `${name}.gguf`))
  engines = []
  host = createLlamaHost({
    ...{ library, clock: systemClock, log: silentLogger, threads: 1, workerFile: 'unused' },
    availableBytes: () => 8e9,
    startLink() {
      const { link, engine } = playEngine((order, played) => {
        if (order.type === 'load') played.say({ type: 'loaded', contextTokens: 512, sequences: 4, backend: 'cpu' })
        if (order.type === 'cancel') played.say({ type: 'settled', id: order.id })
        if (order.type !== 'generate') return
        played.say({ type: 'event', id: order.id, event: END })
        played.say({ type: 'settled', id: order.id })
      })
      engines.push(engine)
      return link
    },
  })
  alice = await startPeer('Alice', { engines: host })
  guest = await startRolePeer(alice, 'guest', { kind: 'browser' })
})
afterEach(async () => {
  await guest.stop()
  await alice.stop()
  await host.stop()
  await library.close()
  await rm(folder, { recursive: true, force: true })
})

const stateOf = (name: string): string | undefined => host.models().find(({ id }) => id === name)?.state

/** How a question of the guest goes: answered, told that it waits, or refused. */
async function guestAsks(model: string): Promise<string> {
  const stream = await guest.raw.open(guest.connection, INFER)
  const messages = [{ role: 'user', content: 'x' }]
  try {
    await stream.write({ type: 'ask', id: 'm1', model, messages, sampling: {}, credit: 1024 })
    for (;;) {
      const { type } = await readFrame(stream, 10_000)
      if (type === 'end') return 'answered'
      if (type === 'queued') return 'waits'
    }
  } catch (error) {
    return (error as MeshError).code
  } finally {
    stream.abort(new Error('over'))
  }
}

/** The person whose helper it is asks for a model by name. */
async function ownAsks(model: string): Promise<string> {
  const question = { model, messages: [{ role: 'user' as const, content: 'x' }], sampling: {} }
  for await (const event of alice.mesh.ask(question as never, { signal: AbortSignal.timeout(25_000) }))
    if (event.type === 'end') return 'answered'
  return 'nothing'
}

test('a guest that asks for one model after the other has few of them loaded, and puts out none that its owner uses', async () => {
  expect(await ownAsks('one')).toBe('answered')
  const outcomes: string[] = []
  for (let round = 0; round < 6; round++) for (const name of NAMES) outcomes.push(await guestAsks(name))
  // its own loads, and then it waits in line
  expect(engines.length).toBeLessThanOrEqual(1 + ENGINE_LOADS_BURST)
  expect(outcomes.slice(-2)).toContain('waits')
  // what is loaded is answered all the same
  expect(await guestAsks('one')).toBe('answered')
  expect(stateOf('one')).toBe('ready')
  const before = engines.length
  expect(await ownAsks('one')).toBe('answered')
  expect(engines.length).toBe(before)
})
