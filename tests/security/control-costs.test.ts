import { afterEach, expect, test, vi } from 'vitest'
import { systemRandom } from '../../helper/ports/random.ts'
import type { MeshId } from '../../mesh/base/index.ts'
import {
  invitationKey,
  knockProof,
  loadDeviceKey,
  parseInvitation,
  signCertificate,
  signConsent,
} from '../../mesh/identity/index.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { controlProtocol, type ControlHost } from '../../mesh/net/protocols/control/control.ts'
import type { ControlFrame } from '../../mesh/net/protocols/control/messages.ts'
import { createVirtualClock, settle } from '../kit/clock.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { EMPTY_CAPABILITY, type Frame } from '../kit/raw-node.ts'
import { startRolePeer, type RolePeer } from '../kit/role-peer.ts'
import { until } from '../kit/wait.ts'

// What a frame of the control stream makes a device do is done at the cost of who sent it, one frame
// after another: knocks that are told are proven by signatures.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

/** Devices that knock at Mallory's, whose signatures are all true. */
async function knocks(mesh: MeshId, name: string, count: number): Promise<Frame[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const key = await loadDeviceKey(createMemoryStore(), systemRandom)
      const terms = { sealingKey: systemRandom.bytes(32), kind: 'browser', name, at: 1 } as const
      const certificate = await signCertificate(key, terms)
      const words = invitationKey(systemRandom.bytes(16))
      const place = { mesh, key: words.publicKey, certificate }
      const consent = await signConsent(key, { by: 'words' }, place)
      const proof = knockProof(words.privateKey, certificate)
      return { certificate, key: words.publicKey, proof, path: 'direct', consent }
    }),
  )
}

const namesOf = (alice: TestPeer): string =>
  alice.mesh
    .knocks()
    .map(({ name }) => name)
    .sort()
    .join()

async function scene(): Promise<{ alice: TestPeer; mallory: RolePeer; mesh: MeshId }> {
  const alice = await startPeer('Alice')
  running.push(alice)
  const mallory = await startRolePeer(alice, 'helper-only')
  running.unshift(mallory)
  const { mesh } = parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
  return { alice, mallory, mesh: mesh }
}

test('knocks that a device tells are proven one frame after another, however fast they are told', async () => {
  const { alice, mallory, mesh } = await scene()
  const lists = [await knocks(mesh, 'first', 4), await knocks(mesh, 'second', 4)]
  let inWork = 0
  let most = 0
  const verify = crypto.subtle.verify.bind(crypto.subtle)
  const spy = vi.spyOn(crypto.subtle, 'verify').mockImplementation(async (...given) => {
    inWork += 1
    most = Math.max(most, inWork)
    try {
      return await verify(...given)
    } finally {
      inWork -= 1
    }
  })
  for (let count = 0; count < 40; count++) await mallory.send({ type: 'knocks', knocks: lists[count % 2] })
  await mallory.send({ type: 'knocks', knocks: await knocks(mesh, 'last', 1) })
  await until(() => namesOf(alice) === 'last', { what: 'the last list', timeoutMs: 20_000 })
  spy.mockRestore()
  expect(most).toBeLessThanOrEqual(2)
}, 60_000)

test('a knock that is known is not proven again, however often the list is told', async () => {
  const { alice, mallory, mesh } = await scene()
  const list = await knocks(mesh, 'known', 8)
  await mallory.send({ type: 'knocks', knocks: list })
  await until(() => alice.mesh.knocks().length === list.length, { what: 'the knocks' })
  const verify = vi.spyOn(crypto.subtle, 'verify')
  for (let count = 0; count < 20; count++) await mallory.send({ type: 'knocks', knocks: list })
  await mallory.settled()
  expect(verify.mock.calls.length).toBeLessThan(20)
  // one more: that one is
  await mallory.send({ type: 'knocks', knocks: [...list.slice(1), ...(await knocks(mesh, 'other', 1))] })
  await until(() => namesOf(alice).includes('other'), { what: 'the other one' })
  expect(verify.mock.calls.length).toBeGreaterThan(0)
  verify.mockRestore()
}, 60_000)

const FRAMES: readonly ControlFrame[] = [
  { type: 'beat', n: 1 },
  { type: 'echo', n: 1 },
  { type: 'capability', capability: EMPTY_CAPABILITY as never },
  { type: 'neighbours', neighbours: [] },
  { type: 'entries', entries: [new Uint8Array(1)] },
  { type: 'heads', heads: [] },
  { type: 'pending', joins: [] },
  { type: 'knocks', knocks: [] },
  { type: 'bye' },
]

test.each(FRAMES)(
  'what a frame of $type makes a device do is charged whole, and done before the next is read',
  async (frame) => {
    const clock = createVirtualClock()
    const inbox: unknown[] = [
      { type: 'hello', mesh: '', heads: [], neighbours: [], capability: EMPTY_CAPABILITY },
      frame,
    ]
    const steps: string[] = []
    let done = (): void => undefined
    const host = {
      admitted: () => true,
      isOfThisMesh: () => true,
      hello: () => ({}),
      ledger: { take: () => Promise.resolve() },
      opened: () => undefined,
      closed: () => undefined,
      async heard() {
        steps.push('heard')
        await new Promise<void>((resolve) => (done = resolve))
        steps.push('done')
      },
    } as unknown as ControlHost
    const stream = {
      peer: 'mallory',
      over: new AbortController().signal,
      read: () => {
        const next = inbox.shift()
        if (next === undefined) steps.push('read')
        return next === undefined ? Promise.reject(new Error('over')) : Promise.resolve(next)
      },
      write: () => Promise.resolve(0),
      abort: () => undefined,
      async work(run: () => Promise<unknown>) {
        steps.push('begins')
        await run()
        steps.push('is charged')
      },
    }
    const over = new AbortController().signal
    const session = controlProtocol(host, { clock, log: silentLogger }).handle(stream as never, {
      connection: {} as never,
      signal: over,
    })
    await settle()
    done()
    await session
    expect(steps.slice(-5)).toEqual(['begins', 'heard', 'done', 'is charged', 'read'])
  },
)
