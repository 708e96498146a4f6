import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { createProtocols } from '../../mesh/net/index.ts'
import {
  ADVERSARY_ROLES,
  ATTACKS,
  runAttack,
  SAMPLES,
  startAdversary,
  targetOf,
  type Adversary,
} from '../kit/adversary/index.ts'
import { createTestEngine } from '../kit/engine.ts'
import { heldBytes } from '../kit/memory.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// A device with software of its own, at every role, does everything it can to every
// protocol that is registered; a new protocol is attacked as soon as it is there.

/** How long each attack goes on, against all protocols at once. */
const ATTACK_MS = 100
/** An honest question takes some ms; one process does everybody's work here, the attacker's too. */
const ANSWER_MS = 10_000
const STALL_MAX_MS = 2_000
const GROWTH_MAX_BYTES = 64 * 1024 * 1024

const protocols = createProtocols(
  {
    control: { ledger: {} } as never,
    rights: {} as never,
    engines: undefined,
    askerOf: {} as never,
    admission: {} as never,
    comparing: {} as never,
    knocking: {} as never,
    recovering: {} as never,
    documents: {} as never,
    keys: {} as never,
  },
  { clock: systemClock, log: silentLogger },
)

let alice: TestPeer
let bob: TestPeer

beforeAll(async () => {
  alice = await startPeer('Alice', { engines: createTestEngine({ clock: systemClock }) })
  bob = await startPeer('Bob')
  await join(bob, alice)
  await bob.untilOnline(alice)
})
afterAll(async () => {
  await Promise.all([bob.stop(), alice.stop()])
})

async function answer(): Promise<string> {
  const question = { messages: [{ role: 'user' as const, content: 'still there?' }], sampling: { maxTokens: 4 } }
  for await (const event of bob.mesh.ask(question, { signal: AbortSignal.timeout(ANSWER_MS) })) {
    if (event.type === 'end') return 'answered'
  }
  return 'nothing'
}

test('every protocol that is registered is attacked', () => {
  expect(protocols.map(({ id }) => id).filter((id) => SAMPLES[id] === undefined)).toEqual([])
})

describe.each(ADVERSARY_ROLES)('%s', (role) => {
  let adversary: Adversary
  beforeAll(async () => {
    adversary = await startAdversary(role, targetOf(alice))
  })
  afterAll(() => adversary.stop())
  afterEach(async () => {
    await until(() => alice.sees(bob)?.state === 'online', { what: 'Alice to have her link with Bob' })
  })

  test.each(ATTACKS)('$name: others are answered meanwhile, nothing piles up, nothing stalls', async (attack) => {
    const before = heldBytes()
    const delay = monitorEventLoopDelay({ resolution: 5 })
    const over = new AbortController()
    try {
      delay.enable()
      const attacks = protocols.map((protocol) => runAttack(attack, { adversary, protocol, signal: over.signal }))
      const answers: string[] = []
      const endAtMs = performance.now() + ATTACK_MS
      do answers.push(await answer())
      while (performance.now() < endAtMs)
      delay.disable()
      const grownBytes = heldBytes() - before
      over.abort(new Error('over'))
      await Promise.all(attacks)
      expect(new Set(answers)).toEqual(new Set(['answered']))
      expect(delay.max / 1e6).toBeLessThan(STALL_MAX_MS)
      expect(grownBytes).toBeLessThan(GROWTH_MAX_BYTES)
    } finally {
      over.abort(new Error('over'))
    }
  })
})
