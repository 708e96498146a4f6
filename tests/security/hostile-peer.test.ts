import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { loadPeerCertificate } from '../../helper/ports/certificate.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { nodeTransports } from '../../helper/ports/node-peer.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { MeshError, type EntryHash } from '../../mesh/base/index.ts'
import { loadDeviceKey, parseInvitation, personIdOfDevice, signEntry } from '../../mesh/identity/index.ts'
import { createNode, type PeerNode } from '../../mesh/net/index.ts'
import { openStream } from '../../mesh/net/protocol.ts'
import { CONTROL } from '../../mesh/net/protocols/control/messages.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { JOIN } from '../../mesh/net/protocols/join/messages.ts'
import { LEDGER } from '../../mesh/net/protocols/ledger/messages.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { startRawNode } from '../kit/raw-node.ts'
import { until } from '../kit/wait.ts'

// A malicious peer as a program, not a mock: real libp2p, a real helper peer.

const signal = new AbortController().signal
let alice: TestPeer
let bob: TestPeer
let mallory: PeerNode
let connection: Connection

beforeEach(async () => {
  alice = await startPeer('Alice')
  bob = await startPeer('Bob')
  await join(bob, alice)
  await alice.untilOnline(bob)
  const store = createMemoryStore()
  const key = await loadDeviceKey(store, systemRandom)
  const certificate = await loadPeerCertificate({ store, clock: systemClock, random: systemRandom })
  mallory = await createNode(
    nodeTransports({ host: '127.0.0.1', ports: { ws: 0, tcp: 0, webrtcDirect: 0 }, certificate }),
    key.privateKey,
    {
      mayDial: () => true,
      mayRelay: () => false,
      mayConnect: () => false,
    },
  )
  connection = await mallory.dial(multiaddr(alice.mesh.addresses().find((address) => address.includes('/ws')) ?? ''))
})

afterEach(async () => {
  expect(alice.sees(bob)?.state).toBe('online')
  await Promise.all([alice.stop(), bob.stop(), mallory.stop()])
})

test.each([INFER, LEDGER])('a stranger is refused by $id at the first frame, with a sentence', async (protocol) => {
  const stream = await openStream(connection, protocol, { clock: systemClock }, { signal })
  await expect(stream.read(z.unknown(), { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: 'not-admitted',
    message: expect.stringContaining('invitation') as string,
  })
})

test('a stranger that says hello is refused with a sentence', async () => {
  const stream = await openStream(connection, CONTROL, { clock: systemClock }, { signal })
  await stream.write({
    type: 'hello',
    mesh: '0'.repeat(64),
    heads: [],
    capability: { kind: 'browser', models: [], load: { slots: 0, busy: 0, queued: 0 }, addresses: [] },
    neighbours: [],
  })
  await expect(stream.read(z.unknown(), { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'not-admitted' })
})

test('a wrong proof is answered like an unknown invitation', async () => {
  const { url } = await alice.mesh.invite({ confirmation: 'in-advance' })
  const raw = await startRawNode()
  try {
    for (const change of [{ invitation: '0'.repeat(32) }, { proof: new Uint8Array(64) }]) {
      const stream = await raw.prove(await raw.dial(alice), url, change)
      await expect(stream.read(z.unknown(), { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'invitation-unknown' })
    }
  } finally {
    await raw.stop()
  }
})

test('a stranger that names the mesh is asked for a proof, and what it makes up is not kept', async () => {
  const { mesh } = parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
  const raw = await startRawNode()
  try {
    const { stream, told } = await raw.hello(await raw.dial(alice), { mesh })
    expect(told).toMatchObject({ type: 'have' })
    const parents = told['hashes'] as EntryHash[]
    const place = { parents: parents.slice(0, 1), at: 1, mesh }
    const made = [
      await signEntry(raw.key, { type: 'admit', certificate: raw.certificate, person: personIdOfDevice(raw.id), newPerson: { name: 'M', role: 'owner' } }, place), // prettier-ignore
      await signEntry(raw.key, { type: 'rename', name: 'Mine' }, place),
    ]
    await stream.write({ type: 'entries', entries: made.map((entry) => entry.bytes) })
    await stream.write({ type: 'end' })
    await expect(stream.read(z.unknown(), { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'not-admitted' })
    expect(alice.mesh.ledger().filter(({ by }) => by === raw.id)).toEqual([])
  } finally {
    await raw.stop()
  }
})

test.each([CONTROL, JOIN])('$id: garbage is refused as malformed', async (protocol) => {
  const stream = await openStream(connection, protocol, { clock: systemClock }, { signal })
  await stream.write([1, 2, { not: 'a frame' }])
  await expect(stream.read(z.unknown(), { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'malformed' })
})

test.each([CONTROL, JOIN])('$id: a frame above the bound for strangers costs the stream', async (protocol) => {
  const stream = await openStream(connection, protocol, { clock: systemClock }, { signal })
  const big = stream.write({ type: 'hello', padding: new Uint8Array(900_000) })
  await expect(Promise.all([big, stream.read(z.unknown(), { timeoutMs: 5_000 })])).rejects.toBeInstanceOf(MeshError)
})

test('more streams than declared are not opened', async () => {
  const opened = await Promise.allSettled(
    Array.from({ length: 64 }, () => connection.newStream(JOIN.id, { maxOutboundStreams: 100 })),
  )
  await until(
    () =>
      connection.status !== 'open' ||
      connection.streams.filter((stream) => stream.protocol === JOIN.id && stream.status === 'open').length <=
        JOIN.maxStreams,
    {
      what: 'the surplus to be reset',
    },
  )
  expect(opened.length).toBe(64)
})

test('the relay of a helper keeps no place for a stranger', async () => {
  const hop = '/libp2p/circuit/relay/0.2.0/hop'
  expect(alice.mesh.addresses().length).toBeGreaterThan(0)
  const stream = await connection.newStream(hop)
  // HopMessage { type: RESERVE }: field 1, varint 0, length-prefixed
  stream.send(Uint8Array.from([2, 8, 0]))
  const reply = await new Promise<Uint8Array>((resolve, reject) => {
    stream.addEventListener('message', (event) => {
      resolve(event.data.subarray())
    })
    stream.addEventListener('close', () => {
      reject(new MeshError('peer-gone', 'closed'))
    })
  })
  // STATUS (type 2) with PERMISSION_DENIED (202 = 0xca 0x01) in field 5
  expect([...reply].join()).toContain([0x28, 0xca, 0x01].join())
})
