import { afterEach, expect, test } from 'vitest'
import { MeshError } from '../../mesh/base/index.ts'
import { PICTURE_COUNT } from '../../mesh/identity/index.ts'
import type { AskEvent } from '../../mesh/route/index.ts'
import { echoEngine } from '../kit/echo-engine.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

const running: TestPeer[] = []
const start = async (...args: Parameters<typeof startPeer>): Promise<TestPeer> => {
  const peer = await startPeer(...args)
  running.push(peer)
  return peer
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
})

async function gather(events: AsyncIterable<AskEvent>): Promise<{ text: string; events: AskEvent[] }> {
  const all: AskEvent[] = []
  let text = ''
  for await (const event of events) {
    all.push(event)
    if (event.type === 'text') text += event.text
  }
  return { text, events: all }
}

const question = { messages: [{ role: 'user' as const, content: 'n' }], sampling: {} }

test('a device that joined by link asks and is answered by the other', async () => {
  const alice = await start('Alice desktop', { engines: echoEngine(200) })
  const bob = await start('Bob laptop')
  await join(bob, alice)
  await bob.untilOnline(alice)
  const { text, events } = await gather(bob.mesh.ask(question, { signal: new AbortController().signal }))
  expect(text).toBe(Array.from({ length: 200 }, (_, index) => `n${String(index)} `).join(''))
  expect(events[0]).toMatchObject({
    type: 'route',
    route: { device: alice.mesh.self, reason: 'only-one', path: 'direct' },
  })
  expect(events.at(-1)).toMatchObject({ type: 'end', finish: 'stop' })
  await until(() => (bob.sees(alice)?.rttMs ?? 0) > 0, { what: 'a measured round trip' })
})

test('leaving the loop stops the engine of the other device', async () => {
  const engine = echoEngine(1_000_000)
  const alice = await start('Alice desktop', { engines: engine })
  const bob = await start('Bob laptop')
  await join(bob, alice)
  await bob.untilOnline(alice)
  for await (const event of bob.mesh.ask(question, { signal: new AbortController().signal }))
    if (event.type === 'text') break
  await until(() => engine.state.stopped, { what: 'the engine to stop' })
})

test('a stranger is refused with a sentence and asks nothing', async () => {
  const alice = await start('Alice desktop', { engines: echoEngine(1) })
  const mallory = await start('Mallory')
  const invitation = await alice.mesh.invite({ confirmation: 'in-advance' })
  const bob = await start('Bob laptop')
  await bob.mesh.join(invitation.url)
  await expect(mallory.mesh.join(invitation.url)).rejects.toMatchObject({ code: 'invitation-used' })
  expect(alice.sees(mallory)).toBeUndefined()
})

test('a removed device is cut, told, and stays out', async () => {
  const alice = await start('Alice desktop', { engines: echoEngine(1) })
  const bob = await start('Bob laptop')
  await join(bob, alice)
  await alice.untilOnline(bob)
  await alice.mesh.remove(bob.mesh.self)
  await until(() => bob.mesh.standing() === 'removed', { what: 'the removed device to know' })
  expect(alice.mesh.devices().map((device) => device.id)).toEqual([alice.mesh.self])
  await expect(gather(bob.mesh.ask(question, { signal: new AbortController().signal }))).rejects.toBeInstanceOf(
    MeshError,
  )
})

test('an answer cut by a removal says so on both sides, not that the device went away', async () => {
  for (const asker of ['remover', 'removed'] as const) {
    const engines = echoEngine(1_000_000)
    const alice = await start('Alice desktop', asker === 'removed' ? { engines } : {})
    const bob = await start('Bob laptop', asker === 'remover' ? { engines } : {})
    await join(bob, alice)
    await alice.untilOnline(bob)
    await bob.untilOnline(alice)
    const asking = asker === 'remover' ? alice : bob
    await until(() => asking.mesh.models().length > 0, { what: 'the model to be told' })
    const answer = asking.mesh.ask(question, { signal: new AbortController().signal })[Symbol.asyncIterator]()
    let first = await answer.next()
    while (first.done !== true && first.value.type !== 'text') first = await answer.next()
    const rest = (async () => {
      while ((await answer.next()).done !== true);
    })()
    const failed = expect(rest).rejects.toMatchObject({ code: 'removed' })
    await alice.mesh.remove(bob.mesh.self)
    await failed
    await until(() => engines.state.stopped, { what: 'the engine to stop' })
  }
})

test('two devices of one helper accept each other on its signed list', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop', { engines: echoEngine(3) })
  const carol = await start('Carol laptop')
  await join(bob, alice)
  await join(carol, alice)
  await carol.untilOnline(bob)
  const { text } = await gather(carol.mesh.ask(question, { signal: new AbortController().signal }))
  expect(text).toBe('n0 n1 n2 ')
})

test('an invitation shown on a screen admits only after the pictures match', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop')
  const invitation = await alice.mesh.invite({ confirmation: 'pictures' })
  let shown: readonly string[] = []
  const joined = bob.mesh.join(invitation.url, {
    onProgress: ({ pictures }) => {
      if (pictures !== undefined) shown = pictures
    },
  })
  const pending = await until(() => alice.mesh.pendingJoins()[0], { what: 'the join to wait' })
  await until(() => shown.length === PICTURE_COUNT, { what: 'the pictures' })
  expect(pending.pictures).toEqual(shown)
  expect(alice.sees(bob)).toBeUndefined()
  const settled: boolean[] = []
  alice.mesh.events.subscribe((event) => {
    if (event.type === 'join-settled') settled.push(event.admitted && alice.sees(bob) !== undefined)
  })
  await alice.mesh.settleJoin(invitation.id, true)
  await joined
  await alice.untilOnline(bob)
  // and who is told that it was admitted finds it on the list
  expect(settled).toEqual([true])
})

test('a link comes back by itself after a restart', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop')
  await join(bob, alice)
  await bob.untilOnline(alice)
  await alice.stop()
  await until(() => bob.sees(alice)?.state === 'asleep', { what: 'the goodbye' })
  running.splice(running.indexOf(alice), 1)
  const again = await start('Alice desktop', { store: alice.store })
  expect(again.mesh.self).toBe(alice.mesh.self)
})

test('another person’s device may ask and rename itself, and change nothing else', async () => {
  const alice = await start('Alice desktop', { engines: echoEngine(1) })
  const bob = await start('Bob laptop')
  const carol = await start('Carol laptop')
  await join(bob, alice, 'Bob')
  await join(carol, alice)
  await bob.untilOnline(alice)
  await carol.untilOnline(alice)
  expect(alice.sees(bob)).toMatchObject({ role: 'member', person: 'Bob' })
  expect(bob.sees(carol)?.removable).toBe(false)
  await expect(bob.mesh.remove(carol.mesh.self)).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(bob.mesh.invite({ person: 'Eve', confirmation: 'in-advance' })).rejects.toMatchObject({
    code: 'unauthorized',
  })
  await expect(bob.mesh.rename(carol.mesh.self, 'Mine now')).rejects.toMatchObject({ code: 'unauthorized' })
  await bob.mesh.rename(bob.mesh.self, 'Bob’s new laptop')
  await until(() => alice.sees(bob)?.name === 'Bob’s new laptop', { what: 'the new name' })
  // an owner may, from any device of hers
  await carol.mesh.remove(bob.mesh.self)
  await until(() => bob.mesh.standing() === 'removed', { what: 'the removal' })
})

test('a device that was removed may be invited again', async () => {
  const alice = await start('Alice desktop', { engines: echoEngine(2) })
  const bob = await start('Bob laptop')
  await join(bob, alice)
  await alice.untilOnline(bob)
  await alice.mesh.remove(bob.mesh.self)
  await until(() => bob.mesh.standing() === 'removed', { what: 'the removal' })
  expect(bob.mesh.devices().map((device) => device.id)).toEqual([bob.mesh.self])
  await join(bob, alice)
  await bob.untilOnline(alice)
  expect(bob.mesh.standing()).toBe('member')
})

test('a device confirms a join of its own invitation that came to another device, and is told the truth about it', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop')
  const carol = await start('Carol laptop')
  await join(bob, alice)
  await bob.untilOnline(alice)
  const settled: boolean[] = []
  bob.mesh.events.subscribe((event) => {
    if (event.type === 'join-settled') settled.push(event.admitted)
  })
  const invitation = await bob.mesh.invite({ confirmation: 'pictures' })
  const joined = carol.mesh.join(invitation.url)
  await until(() => bob.mesh.pendingJoins().length === 1, { what: 'the join to wait at its maker' })
  await bob.mesh.settleJoin(invitation.id, true)
  await joined
  await until(() => settled.length === 1, { what: 'the outcome' })
  expect(settled).toEqual([true])
  expect(bob.sees(carol)).toBeDefined()
})
