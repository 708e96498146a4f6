import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { isMeshError, type DeviceId } from '../../mesh/base/index.ts'
import { parseInvitation } from '../../mesh/identity/index.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { SYNC } from '../../mesh/net/protocols/sync/messages.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import type { Route } from '../../mesh/route/index.ts'
import { createTestEngine } from '../kit/engine.ts'
import { connectTo, HOP, HOP_STATUS, reserve } from '../kit/hop.ts'
import { gatewayOver } from '../kit/mesh-gateway.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame, startRawNode } from '../kit/raw-node.ts'
import { BOAST, FORGED_MODEL, startRolePeer, type RolePeer } from '../kit/role-peer.ts'
import { until } from '../kit/wait.ts'

// A right that is taken away while it is used: what was begun with it ends, on both sides.

const running: { stop(): Promise<void> }[] = []
const keep = <One extends { stop(): Promise<void> }>(one: One): One => {
  running.unshift(one)
  return one
}
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

const { signal } = new AbortController()
const QUESTION = { messages: [{ role: 'user' as const, content: 'Strictly mine.' }], sampling: {} }

/** An answer of which each word is given by hand, to a member that boasts of a model. */
async function slowAnswer(): Promise<{ alice: TestPeer; peer: RolePeer; word: (sequence: number) => Promise<void> }> {
  const alice = keep(await startPeer('Alice'))
  const { promise, resolve } = Promise.withResolvers<FrameStream>()
  const answer = async (stream: FrameStream): Promise<void> => {
    resolve(stream)
    await new Promise<void>((over) => {
      stream.over.addEventListener('abort', () => {
        over()
      })
    })
  }
  const peer = keep(await startRolePeer(alice, 'member', { answer, hello: { capability: BOAST } }))
  const word = async (sequence: number): Promise<void> => {
    await (await promise).write({ type: 'text', sequence, text: `word ${String(sequence)}`, tokenCount: 1 })
  }
  return { alice, peer, word }
}

test.each(['unauthorized', 'removed'] as const)(
  'an answer in the middle of which its device is %s ends at once, and no further word of it is taken',
  async (code) => {
    const { alice, peer, word } = await slowAnswer()
    const heard: string[] = []
    let isHeard = (): void => {}
    const first = new Promise<void>((resolve) => (isHeard = resolve))
    const asked = (async () => {
      for await (const event of alice.mesh.ask(QUESTION, { signal })) {
        if (event.type !== 'text') continue
        heard.push(event.text)
        isHeard()
      }
    })()
    const failed = expect(asked).rejects.toMatchObject({ code })
    await until(() => peer.asked.length > 0, { what: 'the question' })
    await word(0)
    await first
    // the next words are on the wire when the right goes
    const late = Promise.allSettled([word(1), word(2)])
    if (code === 'removed') await alice.mesh.remove(peer.id)
    else await alice.mesh.setRole(peer.person(alice), 'guest')
    await failed
    await late
    expect(heard.length).toBeLessThanOrEqual(3)
    await expect(word(3).then(() => word(4))).rejects.toThrow()
  },
)

test('a right that goes while a question waits to be sent keeps it here', async () => {
  const { alice, peer } = await slowAnswer()
  const events = alice.mesh.ask(QUESTION, { signal })[Symbol.asyncIterator]()
  expect((await events.next()).value).toMatchObject({ type: 'route', route: { device: peer.id } })
  await alice.mesh.setRole(peer.person(alice), 'guest')
  await expect(
    (async () => {
      while ((await events.next()).done !== true);
    })(),
  ).rejects.toMatchObject({ code: 'unauthorized' })
  await peer.settled()
  expect(peer.asked).toEqual([])
})

test.each(['guest', 'member'] as const)('a %s that may ask no more is answered no further', async (standing) => {
  const engine = createTestEngine({ clock: systemClock })
  const alice = keep(await startPeer('Alice', { engines: engine }))
  const peer = keep(await startRolePeer(alice, standing))
  engine.stall()
  const stream = await peer.raw.open(peer.connection, INFER)
  await stream.write({ type: 'ask', id: 'a1', model: 'test-model', ...QUESTION, credit: 64 })
  await until(() => engine.load().busy === 1, { what: 'the question to run' })
  await alice.mesh.setRole(peer.person(alice), 'helper-only')
  await until(() => engine.load().busy === 0, { timeoutMs: 2_000, what: 'the answer to end' })
  const all = (async () => {
    for (;;) await readFrame(stream)
  })()
  await expect(all).rejects.toMatchObject({ code: 'unauthorized' })
})

test('a device that may keep documents no more is given none, and read from no more', async () => {
  const alice = keep(await startPeer('Alice'))
  const peer = keep(await startRolePeer(alice, 'member'))
  const read: FrameStream[] = []
  let ended = 0
  await peer.raw.node.handle(SYNC.id, (stream) => {
    read.push(stream as never)
    stream.addEventListener('close', () => (ended += 1))
  })
  await until(() => read.length > 0, { what: 'Alice to take documents' })
  const given = await peer.raw.open(peer.connection, SYNC)
  // answered by nothing until there is something to offer; the end is what is waited for
  const end = (async () => {
    for (;;) await readFrame(given)
  })().catch((error: unknown) => error)
  await peer.settled()
  await alice.mesh.setRole(peer.person(alice), 'guest')
  const reason = await end
  expect(isMeshError(reason, 'unauthorized')).toBe(true)
  await until(() => ended === read.length, { what: 'Alice to read no more' })
})

test('a device that may be relayed no more loses what the relay carries, and gets nothing new', async () => {
  const alice = keep(await startPeer('Alice'))
  const phone = keep(await startRolePeer(alice, 'own', { kind: 'browser' }))
  const peer = keep(await startRolePeer(alice, 'member'))
  for (const one of [phone, peer]) expect(await reserve(one.connection)).toBe(HOP_STATUS.ok)
  expect(await connectTo(peer.connection, phone.id)).not.toBe(HOP_STATUS.denied)
  const stream = await peer.connection.newStream(HOP)
  await alice.mesh.setRole(peer.person(alice), 'guest')
  await until(() => stream.status !== 'open', { what: 'the relay to let go' })
  // neither from there nor to there, although it was kept reachable before
  expect(await connectTo(peer.connection, phone.id)).toBe(HOP_STATUS.denied)
  expect(await connectTo(phone.connection, peer.id)).toBe(HOP_STATUS.denied)
})

test.each([
  ['member', HOP_STATUS.ok],
  ['guest', HOP_STATUS.denied],
] as const)('who waits to be let in as a %s is relayed as that', async (role, status) => {
  const alice = keep(await startPeer('Alice'))
  const joiner = keep(await startRawNode())
  const { url } = await alice.mesh.invite({ confirmation: 'pictures', person: 'Bob', role })
  const connection = await joiner.dial(alice)
  await joiner.exchange(await joiner.prove(connection, url))
  await until(() => alice.mesh.pendingJoins().length > 0, { what: 'the join to wait' })
  expect(await reserve(connection)).toBe(status)
})

test('the helper of a guest relays for nobody', async () => {
  const alice = keep(await startPeer('Alice'))
  const own = keep(await startRolePeer(alice, 'own'))
  const bob = keep(await startPeer('Bob'))
  await bob.mesh.join((await alice.mesh.invite({ confirmation: 'in-advance', person: 'Bob', role: 'guest' })).url)
  await until(() => bob.mesh.devices().some((device) => device.id === own.id), { what: 'Bob to know the device' })
  expect(await reserve(await own.raw.dial(bob))).toBe(HOP_STATUS.denied)
})

/** The route of a question, or why there was none. */
async function routeOf(asker: TestPeer, request: { device?: DeviceId; through?: 'gateway' }): Promise<Route> {
  let route: Route | undefined
  for await (const event of asker.mesh.ask({ ...QUESTION, ...request }, { signal }))
    if (event.type === 'route') route = event.route
  if (route === undefined) throw new TypeError('no route')
  return route
}

test('Why this device names the right that lacks, and a guest asked for by name is refused by it', async () => {
  const engines = createTestEngine({ clock: systemClock })
  const alice = keep(await startPeer('Alice', { engines }))
  const guest = keep(await startRolePeer(alice, 'guest', { hello: { capability: BOAST } }))
  const { device, candidates } = await routeOf(alice, {})
  expect(device).toBe(alice.mesh.self)
  expect(candidates.find((one) => one.device === guest.id)).toEqual({
    ...{ device: guest.id, deviceName: 'Mallory', model: undefined, verdict: 'refused' },
    refusal: 'may-not-answer',
  })
  await expect(routeOf(alice, { device: guest.id })).rejects.toMatchObject({ code: 'unauthorized' })
  expect(guest.asked).toEqual([])
  expect(alice.mesh.models().map(({ id }) => id as string)).not.toContain(FORGED_MODEL)
})

test.each([
  // who it is, whether its person may ask Alice, and whether its programs may
  ['owner', true, true],
  ['member', true, true],
  ['guest', true, false],
  ['helper-only', false, false],
] as const)(
  'a helper that is %s asks others as far as its role lets it: person %s, programs %s',
  async (role, person, programs) => {
    const alice = keep(await startPeer('Alice', { engines: createTestEngine({ clock: systemClock }) }))
    const bob = keep(await startPeer('Bob'))
    const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Bob', role })
    expect(parseInvitation(url).role).toBe(role)
    await bob.mesh.join(url)
    await bob.untilOnline(alice)
    await until(() => (bob.sees(alice)?.load.slots ?? 0) > 0, { what: 'the engine of Alice' })
    for (const [through, may] of [
      [undefined, person],
      ['gateway', programs],
    ] as const) {
      const request = { ...QUESTION, device: alice.mesh.self, ...(through === undefined ? {} : { through }) }
      // refused here, before anything is sent: the first thing heard is the refusal, not a route
      const first = bob.mesh.ask(request, { signal })[Symbol.asyncIterator]().next()
      if (may) expect(await first).toMatchObject({ value: { type: 'route', route: { device: alice.mesh.self } } })
      else await expect(first).rejects.toMatchObject({ code: 'unauthorized' })
    }
    const { status } = await gatewayOver(bob.mesh)('/v1/chat/completions', { ...QUESTION, model: 'test-model' })
    expect(status === 200).toBe(programs)
  },
)
