import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import {
  PENDING_JOIN_MS,
  STRANGER_CONNECTION_MS,
  type DeviceId,
  type EntryHash,
  type PersonId,
} from '../../mesh/base/index.ts'
import {
  admissionProof,
  formatInvitation,
  invitationKey,
  inviteDraft,
  parseInvitation,
  signEntry,
  type EntryFields,
} from '../../mesh/identity/index.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { JOIN } from '../../mesh/net/protocols/join/messages.ts'
import { LEDGER } from '../../mesh/net/protocols/ledger/messages.ts'
import { frameStream, type FrameStream } from '../../mesh/net/stream.ts'
import type { InvitationView } from '../../mesh/mesh-types.ts'
import { createVirtualClock } from '../kit/clock.ts'
import { createTestEngine, type TestEngine } from '../kit/engine.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { EMPTY_CAPABILITY, readFrame, startRawNode, type RawNode } from '../kit/raw-node.ts'
import { until } from '../kit/wait.ts'

// Whoever holds a link, or once was admitted, with a program of their own.

const stops: (() => Promise<void>)[] = []
let engine: TestEngine
let alice: TestPeer
let mallory: RawNode

const start = async (...args: Parameters<typeof startPeer>): Promise<TestPeer> => {
  const peer = await startPeer(...args)
  stops.push(() => peer.stop())
  return peer
}
const raw = async (): Promise<RawNode> => {
  const node = await startRawNode()
  stops.push(() => node.stop())
  return node
}
const invite = (confirmation: 'in-advance' | 'pictures' = 'in-advance', person?: string): Promise<InvitationView> =>
  alice.mesh.invite({ confirmation, person })
const onAlicesList = (id: string): boolean => alice.mesh.devices().some((device) => device.id === id)
const ask = { type: 'ask', id: 'a1', model: 'test-model', messages: [{ role: 'user', content: 'x' }], sampling: {} }

beforeEach(async () => {
  engine = createTestEngine({ clock: systemClock })
  alice = await start('Alice', { engines: engine })
  mallory = await raw()
})

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

test('a proof made for another device or another mesh admits nobody and leaves the invitation open', async () => {
  const { url } = await invite()
  const { secret, mesh } = parseInvitation(url)
  const { privateKey } = invitationKey(secret)
  const other = await raw()
  for (const proof of [
    admissionProof(privateKey, mesh, other.certificate),
    admissionProof(privateKey, 'ab'.repeat(32) as typeof mesh, mallory.certificate),
  ]) {
    const stream = await mallory.prove(await mallory.dial(alice), url, { proof })
    await expect(readFrame(stream)).rejects.toMatchObject({ code: 'invitation-unknown' })
  }
  const proof = admissionProof(privateKey, mesh, other.certificate)
  const borrowed = await mallory.prove(await mallory.dial(alice), url, { proof, certificate: other.certificate })
  await expect(readFrame(borrowed)).rejects.toMatchObject({ code: 'refused' })
  const stream = await mallory.prove(await mallory.dial(alice), url)
  expect(await readFrame(stream)).toMatchObject({ type: 'entries' })
})

test('of several devices that prove one invitation in the same moment exactly one is admitted', async () => {
  const { url } = await invite()
  const others = await Promise.all([raw(), raw()])
  const all = [mallory, ...others]
  const connections = await Promise.all(all.map((node) => node.dial(alice)))
  const answers = await Promise.allSettled(
    all.map(async (node, index) => {
      const connection = connections[index]
      return connection === undefined ? undefined : readFrame(await node.prove(connection, url))
    }),
  )
  expect(answers.filter((answer) => answer.status === 'fulfilled')).toHaveLength(1)
  for (const answer of answers) {
    if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'invitation-used' })
  }
  expect(alice.mesh.devices()).toHaveLength(2)
})

test('a removed device does not come back by the invitation it once used', async () => {
  const { url } = await invite()
  await readFrame(await mallory.prove(await mallory.dial(alice), url))
  await alice.mesh.remove(mallory.id)
  const stream = await mallory.prove(await mallory.dial(alice), url)
  await expect(readFrame(stream)).rejects.toMatchObject({ code: 'invitation-used' })
  expect(onAlicesList(mallory.id)).toBe(false)
})

test('a used invitation is still used after a restart', async () => {
  const { url } = await invite()
  await readFrame(await mallory.prove(await mallory.dial(alice), url))
  await alice.stop()
  stops.splice(0, 1)
  alice = await start('Alice', { store: alice.store, engines: engine })
  const other = await raw()
  const stream = await other.prove(await other.dial(alice), url)
  await expect(readFrame(stream)).rejects.toMatchObject({ code: 'invitation-used' })
})

/** Writes an entry of a raw node's own on top of what Alice has. */
async function tell(
  node: RawNode,
  stream: FrameStream,
  fields: EntryFields,
  parents: readonly EntryHash[],
): Promise<void> {
  const { mesh } = parseInvitation((await invite()).url)
  const entry = await signEntry(node.key, fields, { parents, at: Date.now(), mesh })
  await stream.write({ type: 'entries', entries: [entry.bytes] })
}

test('invitations of an owner that was removed admit nobody any more', async () => {
  const { url } = await invite()
  const connection = await mallory.dial(alice)
  await readFrame(await mallory.prove(connection, url))
  const { stream, told } = await mallory.hello(connection)
  const secret = new Uint8Array(16).fill(7)
  const person = alice.mesh.people()[0]?.id as PersonId
  const terms = { person, role: 'owner', confirmation: 'in-advance', now: Date.now(), lifetimeMs: 86_400_000 } as const
  await tell(mallory, stream, inviteDraft(secret, mallory.id, terms), told['heads'] as EntryHash[])
  await until(() => alice.mesh.invitations().some((one) => one.madeBy === mallory.id), { what: 'the invitation' })
  await alice.mesh.remove(mallory.id)
  const kept = `#${formatInvitation({ ...parseInvitation(url), secret, inviter: mallory.id })}`
  const other = await raw()
  const answer = await other.prove(await other.dial(alice), kept)
  await expect(readFrame(answer)).rejects.toMatchObject({ code: 'invitation-used' })
  expect(onAlicesList(other.id)).toBe(false)
})

test('who was refused by a person does not ask again with the same invitation', async () => {
  const { url } = await invite('pictures')
  const stream = await mallory.prove(await mallory.dial(alice), url)
  await mallory.exchange(stream)
  const { invitation } = await until(() => alice.mesh.pendingJoins()[0], { what: 'the join to wait' })
  await alice.mesh.settleJoin(invitation, false)
  await expect(readFrame(stream)).rejects.toMatchObject({ code: 'refused' })
  const again = await mallory.prove(await mallory.dial(alice), url)
  await expect(readFrame(again)).rejects.toMatchObject({ code: 'invitation-used' })
  expect(alice.mesh.pendingJoins()).toEqual([])
})

test('a joiner whose link broke while pictures waited may try again, and only the newest try counts', async () => {
  const { url, id } = await invite('pictures')
  const lost = await mallory.dial(alice)
  const first = await mallory.prove(lost, url)
  await mallory.exchange(first)
  await until(() => alice.mesh.pendingJoins().length === 1, { what: 'the first try to wait' })
  const second = await mallory.prove(await mallory.dial(alice), url)
  await mallory.exchange(second)
  await expect(readFrame(first)).rejects.toMatchObject({ code: 'refused' })
  lost.abort(new Error('gone'))
  expect(alice.mesh.pendingJoins()).toHaveLength(1)
  await alice.mesh.settleJoin(id, true)
  expect(await readFrame(second)).toMatchObject({ type: 'entries' })
})

test('a join whose joiner is gone does not wait any longer', async () => {
  const { url } = await invite('pictures')
  const connection = await mallory.dial(alice)
  await mallory.exchange(await mallory.prove(connection, url))
  await until(() => alice.mesh.pendingJoins().length === 1, { what: 'the join to wait' })
  connection.abort(new Error('gone'))
  await until(() => alice.mesh.pendingJoins().length === 0, { what: 'the join to be forgotten' })
  expect(onAlicesList(mallory.id)).toBe(false)
})

test('a removed device that never opened its link loses its answer and its connection within two seconds', async () => {
  const { url } = await invite()
  const connection = await mallory.dial(alice)
  await readFrame(await mallory.prove(connection, url))
  engine.stall()
  const stream = await mallory.open(connection, INFER)
  await stream.write({ ...ask, credit: 64 })
  await until(() => engine.load().busy === 1, { what: 'the question to run' })
  await alice.mesh.remove(mallory.id)
  await until(() => engine.load().busy === 0, { timeoutMs: 2_000, what: 'the answer to be cut' })
  await until(() => connection.status !== 'open', { timeoutMs: 2_000, what: 'the connection to be cut' })
})

test('between its removal and the cut a device opens nothing new', async () => {
  const { url } = await invite()
  const connection = await mallory.dial(alice)
  await readFrame(await mallory.prove(connection, url))
  await mallory.hello(connection)
  await alice.mesh.remove(mallory.id)
  for (const protocol of [INFER, LEDGER]) {
    const stream = await mallory.open(connection, protocol)
    await expect(readFrame(stream)).rejects.toMatchObject({ code: 'removed' })
  }
  expect(engine.requests).toEqual([])
})

test('an inviter that answers with the ledger of somebody else, or with one that does not name the joiner, is not followed', async () => {
  const bob = await start('Bob')
  const carol = await start('Carol')
  const entriesOf = async (peer: TestPeer): Promise<Uint8Array[]> => {
    const spy = await raw()
    const stream = await spy.prove(await spy.dial(peer), (await peer.mesh.invite({ confirmation: 'in-advance' })).url)
    return (await readFrame(stream))['entries'] as Uint8Array[]
  }
  const foreign = await entriesOf(carol)
  const own = await entriesOf(alice)
  const answers = [foreign, own, own.slice(1), [], [new Uint8Array(300)]]
  let entries = answers[0]
  await mallory.node.handle(JOIN.id, async (stream, connection) => {
    const frames = frameStream(stream, connection.remotePeer.toString() as DeviceId, {
      clock: systemClock,
      maxFrameBytes: JOIN.maxFrameBytes,
    })
    await readFrame(frames)
    await frames.write({ type: 'entries', entries })
    await frames.write({ type: 'end' })
  })
  const { mesh } = parseInvitation((await invite()).url)
  const url = `#${formatInvitation({
    inviter: mallory.id,
    inviterName: 'Mallory',
    mesh,
    secret: new Uint8Array(16),
    addresses: mallory.node.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/.*$/, '')),
    expiresAt: Date.now() + 60_000,
    person: '',
    role: 'owner',
    confirmation: 'in-advance',
  })}`
  const before = bob.mesh.ledger()
  for (entries of answers) {
    await expect(bob.mesh.join(url)).rejects.toMatchObject({ code: 'integrity' })
    expect(bob.mesh.standing()).toBe('alone')
    expect(bob.mesh.ledger()).toEqual(before)
  }
})

test('a member makes nobody see a join that does not exist, nor takes rights it does not have', async () => {
  const { url } = await invite('in-advance', 'Mallory')
  const connection = await mallory.dial(alice)
  await readFrame(await mallory.prove(connection, url))
  const { stream, told } = await mallory.hello(connection)
  const heads = told['heads'] as EntryHash[]
  const mine = alice.mesh.people().find((person) => person.name === 'Mallory')?.id as PersonId
  await tell(mallory, stream, { type: 'role', person: mine, role: 'owner' }, heads)
  await tell(mallory, stream, { type: 'revoke', device: alice.mesh.self }, heads)
  await tell(mallory, stream, { type: 'rename', device: alice.mesh.self, name: 'Fooled' }, heads)
  await stream.write({
    type: 'pending',
    joins: [{ invitation: '0'.repeat(32), certificate: mallory.certificate, proof: new Uint8Array(64), nonce: new Uint8Array(16), path: 'direct' }], // prettier-ignore
  })
  // answered after what was written before it
  await stream.write({ type: 'beat', n: 7 })
  await until(async () => (await readFrame(stream))['n'] === 7, { what: 'the echo' })
  expect(alice.mesh.pendingJoins()).toEqual([])
  expect(alice.sees(alice)?.name).toBe('Alice')
  expect(alice.mesh.people().find((person) => person.id === mine)?.role).toBe('member')
  // void by what they saw: everybody refuses them, and nobody keeps them
  expect(alice.mesh.ledger().filter((line) => line.by === mallory.id)).toEqual([])
})

test('a device that waited for its pictures in vain is cut in the end like any stranger', async () => {
  const clock = createVirtualClock()
  const carol = await startPeer('Carol', { clock })
  stops.push(async () => {
    const stopped = carol.stop()
    await clock.advanceAsync(1_000)
    await stopped
  })
  const { url, id } = await carol.mesh.invite({ confirmation: 'pictures' })
  const connection = await mallory.dial(carol)
  const stream = await mallory.prove(connection, url)
  await mallory.exchange(stream)
  await until(() => carol.mesh.pendingJoins().length === 1, { what: 'the join to wait' })
  clock.advance(STRANGER_CONNECTION_MS + 1)
  expect(connection.status).toBe('open')
  await carol.mesh.settleJoin(id, false)
  await expect(readFrame(stream)).rejects.toMatchObject({ code: 'refused' })
  clock.advance(PENDING_JOIN_MS + STRANGER_CONNECTION_MS + 1)
  await until(() => connection.status !== 'open', { what: 'the connection to be cut' })
})

test('who made an invitation sees the join that waits also after a restart of their device', async () => {
  const bob = await start('Bob')
  await join(bob, alice)
  await bob.untilOnline(alice)
  const { url, id } = await bob.mesh.invite({ confirmation: 'pictures' })
  const stream = await mallory.prove(await mallory.dial(alice), url)
  await mallory.exchange(stream)
  await until(() => bob.mesh.pendingJoins().length === 1, { what: 'the join to be told' })
  await bob.mesh.stop()
  const again = await start('Bob', { store: bob.store })
  await again.untilOnline(alice)
  await until(() => again.mesh.pendingJoins().length === 1, { what: 'the join to be told again' })
  await again.mesh.settleJoin(id, true)
  expect(await readFrame(stream)).toMatchObject({ type: 'entries' })
  await until(() => again.mesh.pendingJoins().length === 0, { what: 'the join to be over' })
})

test('addresses a member tells make nobody look up a name, ask a path or dial through a stranger', async () => {
  const bob = await start('Bob')
  await join(bob, alice)
  const { url } = await invite('in-advance', 'Mallory')
  const connection = await mallory.dial(alice)
  await readFrame(await mallory.prove(connection, url))
  const told = [
    '/dns4/evil.example/tcp/443/ws',
    '/dnsaddr/evil.example',
    '/ip4/127.0.0.1/tcp/80/ws/http-path/evil',
    `/ip4/10.9.8.7/tcp/4001/p2p/${mallory.id}/p2p-circuit/p2p/${bob.mesh.self}`,
    '/ip4/10.9.8.7/tcp/4002/ws',
  ]
  const { stream } = await mallory.hello(connection, {
    capability: { ...EMPTY_CAPABILITY, addresses: told.filter((address) => !address.includes('p2p')) },
    neighbours: [{ id: bob.mesh.self, addresses: told }],
  })
  await stream.write({ type: 'beat', n: 7 })
  await until(async () => (await readFrame(stream))['n'] === 7, { what: 'the echo' })
  const other = await raw()
  const over = await other.dial(alice)
  await readFrame(await other.prove(over, (await invite()).url))
  const heard = JSON.stringify((await other.hello(over)).told['neighbours'])
  expect(heard).toContain('/ip4/10.9.8.7/tcp/4002/ws')
  const kept = (await alice.store.list('peer/')).map(({ value }) => Buffer.from(value).toString('latin1')).join('\n')
  expect(kept).toContain('/ip4/10.9.8.7/tcp/4002/ws')
  for (const text of [heard, kept]) expect(text).not.toMatch(/evil|tcp\/4001/)
})
