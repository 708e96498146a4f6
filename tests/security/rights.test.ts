import { peerIdFromString } from '@libp2p/peer-id'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { readinessOf } from '../../app/peer/readiness.ts'
import { outlookOf } from '../../app/views/chat/parts/outlook.ts'
import { isMeshError, type DeviceId, type EntryHash, type MeshId, type ModelId } from '../../mesh/base/index.ts'
import {
  admissionProof,
  commitmentOf,
  invitationIdOfKey,
  invitationKey,
  knockProof,
  parseInvitation,
  signConsent,
  signEntry,
} from '../../mesh/identity/index.ts'
import type { ProtocolShape } from '../../mesh/net/protocol.ts'
import { COMPARE } from '../../mesh/net/protocols/compare/messages.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { JOIN } from '../../mesh/net/protocols/join/messages.ts'
import { KEYS } from '../../mesh/net/protocols/keys/messages.ts'
import { KNOCKS } from '../../mesh/net/protocols/knocks/messages.ts'
import { LEDGER } from '../../mesh/net/protocols/ledger/messages.ts'
import { SYNC } from '../../mesh/net/protocols/sync/messages.ts'
import { toHex } from '../../mesh/wire/index.ts'
import { startDialTrap, type DialTrap } from '../kit/dial-trap.ts'
import { createTestEngine } from '../kit/engine.ts'
import { connectTo, HOP, HOP_STATUS, reserve } from '../kit/hop.ts'
import { join, loopbackPreset, startPeer, type TestPeer } from '../kit/peers.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { gatewayOver } from '../kit/mesh-gateway.ts'
import { readFrame, startRawNode, type Frame, type RawNode } from '../kit/raw-node.ts'
import { BOAST, startRolePeer, STANDINGS, type RawStanding, type RolePeer } from '../kit/role-peer.ts'
import { until } from '../kit/wait.ts'

// The table of rights, through every place that uses one: for each cell a device with software
// of its own, over the wire. A row is what such a device gets done at Alice's helper.
// x: it does. A call of `authorize` that is left out anywhere turns a dot of these into an x.
const MATRIX = `
                                     stranger removed guest helper-only member owner own
  is answered                               .       .     x           .      x     x   x
  fetches the ledger                        .       .     x           x      x     x   x
  takes documents                           .       .     .           x      x     x   x
  is given keys it could not open           .       .     .           x      x     x   x
  hears whose words were typed              .       .     .           .      x     x   x
  is kept reachable                         .       .     .           x      x     x   x
  is connected with others                  .       .     .           x      x     x   x
  is sent any question                      .       .     .           x      x     x   x
  is sent a question by name                .       .     .           x      x     x   x
  is sent a question by the gateway         .       .     .           x      x     x   x
  is shown with models and load             .       .     .           x      x     x   x
  is waited for by the page                 .       .     .           x      x     x   x
  is listed by the gateway                  .       .     .           x      x     x   x
  is dialled where it says it is            .       .     .           x      x     x   x
  has others dialled where it says          .       .     .           x      x     x   x
  is named to others                        .       .     .           x      x     x   x
  is asked for entries it claims            .       .     .           x      x     x   x
  gives entries of others                   .       .     .           x      x     x   x
  reports joins                             .       .     .           .      x     x   x
  reports knocks                            .       .     .           x      x     x   x
  is told where engines are                 .       .     x           x      x     x   x
  is told where everybody is                .       .     .           x      x     x   x
  is told who knocks                        .       .     .           .      x     x   x
  is told who waits for its person          .       .     .           .      .     .   x
  is used as a relay                        .       .     .           x      x     x   x
  is reached through relays                 .       .     .           x      x     x   x
  has documents read from it                .       .     .           x      x     x   x
  is used for STUN                          .       .     .           x      x     x   x
`

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

/** What a row needs beside Alice: made before the devices come, or on the way. */
interface World {
  readonly alice: TestPeer
  readonly stunServers: readonly string[]
  readonly gateway: (path: string, body?: object) => Promise<Response>
  /** What else there is: a port that counts dials, another device, and what was counted, for each standing. */
  readonly traps: Map<RawStanding, DialTrap>
  readonly others: Map<RawStanding, RawNode>
  readonly counts: Map<RawStanding, number>
  /** What a relay was asked for, in hex. */
  readonly hops: string[]
  /** Devices of the owner: a browser, a helper without an engine and one with. */
  phone?: RawNode
  bob?: TestPeer
  carol?: TestPeer
}

/** One use of a right: what the device does, and whether it got it done. */
interface Use {
  /** Something that has to be there before the devices come. */
  readonly prepare?: (world: World, standings: readonly RawStanding[]) => Promise<void>
  /** Default: helper. */
  readonly kind?: 'browser'
  readonly hello?: (standing: RawStanding, world: World) => Record<string, unknown>
  readonly act?: (world: World, peer: RolePeer, standing: RawStanding) => Promise<void>
  readonly holds: (world: World, peer: RolePeer, standing: RawStanding) => boolean | Promise<boolean>
}

async function createWorld(): Promise<World> {
  const store = createMemoryStore()
  const stunServers: string[] = []
  const preset = {
    ...(await loopbackPreset(store)),
    useStun: (servers: readonly string[]) => stunServers.push(...servers),
  }
  const alice = keep(await startPeer('Alice', { store, preset, engines: createTestEngine({ clock: systemClock }) }))
  const gateway = gatewayOver(alice.mesh)
  return { alice, stunServers, gateway, traps: new Map(), others: new Map(), counts: new Map(), hops: [] }
}

const modelOf = (standing: RawStanding): ModelId => `forged-${standing}` as ModelId
const boastOf = (standing: RawStanding): Record<string, unknown> => ({
  capability: { ...BOAST, models: [{ ...BOAST.models[0], id: modelOf(standing) }] },
})

/** Whether the device is let in by a protocol: then only its garbage is refused. */
async function isServed({ alice }: World, peer: RolePeer, protocol: ProtocolShape): Promise<boolean> {
  const connection = peer.connection.status === 'open' ? peer.connection : await peer.raw.dial(alice)
  const stream = await peer.raw.open(connection, protocol)
  await stream.write(['garbage'])
  const answer = await readFrame(stream).catch((error: unknown) => error)
  return isMeshError(answer, 'malformed')
}

async function isAnswered({ alice }: World, peer: RolePeer): Promise<boolean> {
  const connection = peer.connection.status === 'open' ? peer.connection : await peer.raw.dial(alice)
  const stream = await peer.raw.open(connection, INFER)
  await stream.write({ type: 'ask', id: 'a1', model: 'test-model', ...QUESTION, credit: 64 })
  const answer = await readFrame(stream).catch(() => undefined)
  return answer !== undefined
}

async function asks({ alice }: World, request: { model?: ModelId; device?: DeviceId }): Promise<boolean> {
  let text = ''
  try {
    for await (const event of alice.mesh.ask({ ...QUESTION, ...request }, { signal }))
      if (event.type === 'text') text += event.text
  } catch {
    return false
  }
  return text === 'FORGED'
}

async function relayStatus({ alice }: World, peer: RolePeer, to?: DeviceId): Promise<number> {
  const connection = peer.connection.status === 'open' ? peer.connection : await peer.raw.dial(alice)
  return to === undefined ? reserve(connection) : connectTo(connection, to)
}

const viewOf = ({ alice }: World, peer: RolePeer) => alice.mesh.devices().find((device) => device.id === peer.id)

/** The devices it was told of last. */
function neighboursTold(peer: RolePeer): readonly string[] {
  const told = peer.heard.findLast((frame) => 'neighbours' in frame)
  return ((told?.['neighbours'] ?? []) as { id: string }[]).map(({ id }) => id)
}

/** A device of the owner that was let in and is away. */
async function absent(alice: TestPeer, kind: 'helper' | 'browser'): Promise<RawNode> {
  const raw = keep(await startRawNode(kind))
  const connection = await raw.dial(alice)
  await readFrame(await raw.prove(connection, (await alice.mesh.invite({ confirmation: 'in-advance' })).url))
  await connection.close()
  return raw
}

const setTraps: Use['prepare'] = async (world, standings) => {
  for (const standing of standings) world.traps.set(standing, keep(await startDialTrap()))
}
const wasDialled: Use['holds'] = ({ traps }, _peer, standing) => (traps.get(standing)?.connections ?? 0) > 0
const trapOf = ({ traps }: World, standing: RawStanding): string => traps.get(standing)?.address ?? ''
const setAbsent: Use['prepare'] = async (world, standings) => {
  for (const standing of standings) world.others.set(standing, await absent(world.alice, 'helper'))
}

/** Counts streams of a protocol that are opened to the device, and serves none. */
async function countStreams(world: World, peer: RolePeer, standing: RawStanding, protocol: string): Promise<void> {
  await peer.raw.node.handle(protocol, (stream) => {
    world.counts.set(standing, (world.counts.get(standing) ?? 0) + 1)
    stream.abort(new Error('There is nothing to be had here.'))
  })
}
const wasCounted: Use['holds'] = ({ counts }, _peer, standing) => (counts.get(standing) ?? 0) > 0

async function newcomer(world: World, standing: RawStanding): Promise<RawNode> {
  const raw = keep(await startRawNode())
  world.others.set(standing, raw)
  return raw
}

/** Says it, where there is a control stream to say it on. */
async function say(peer: RolePeer, frame: Frame): Promise<void> {
  if (peer.control !== undefined) await peer.send(frame)
}

const USES: Readonly<Record<string, Use>> = {
  'is answered': { holds: isAnswered },
  'fetches the ledger': { holds: (world, peer) => isServed(world, peer, LEDGER) },
  'is given keys it could not open': { holds: (world, peer) => isServed(world, peer, KEYS) },
  'hears whose words were typed': {
    async holds({ alice }, peer) {
      const connection = peer.connection.status === 'open' ? peer.connection : await peer.raw.dial(alice)
      const stream = await peer.raw.open(connection, KNOCKS)
      await stream.write({ type: 'find', key: new Uint8Array(32) })
      return (await readFrame(stream).catch(() => undefined)) !== undefined
    },
  },
  'takes documents': { holds: (world, peer) => isServed(world, peer, SYNC) },
  'is kept reachable': { holds: async (world, peer) => (await relayStatus(world, peer)) === HOP_STATUS.ok },
  'is connected with others': {
    async prepare(world) {
      const { raw, connection } = keep(await startRolePeer(world.alice, 'own', { kind: 'browser' }))
      world.phone = raw
      expect(await reserve(connection)).toBe(HOP_STATUS.ok)
    },
    holds: async (world, peer) => (await relayStatus(world, peer, world.phone?.id)) !== HOP_STATUS.denied,
  },
  'is sent any question': {
    hello: boastOf,
    holds: async (world, peer, standing) => (await asks(world, { model: modelOf(standing) })) && peer.asked.length > 0,
  },
  'is sent a question by name': {
    hello: boastOf,
    async holds(world, peer) {
      const isSent = await asks(world, { device: peer.id })
      expect(peer.asked.length > 0).toBe(isSent)
      return isSent
    },
  },
  'is sent a question by the gateway': {
    hello: boastOf,
    async holds({ gateway }, peer, standing) {
      const model = modelOf(standing)
      const response = await gateway('/v1/chat/completions', { model, messages: QUESTION.messages })
      expect(peer.asked.length > 0).toBe(response.status === 200)
      return response.status === 200
    },
  },
  'is shown with models and load': {
    hello: boastOf,
    holds(world, peer) {
      const view = viewOf(world, peer)
      expect((view?.load.slots ?? 0) > 0).toBe((view?.models.length ?? 0) > 0)
      return (view?.models.length ?? 0) > 0
    },
  },
  'is waited for by the page': {
    hello: boastOf,
    holds(world, peer, standing) {
      const devices = world.alice.mesh.devices().filter((device) => device.id === peer.id)
      const facts = { running: true, standing: 'member', devices } as const
      const { ready } = readinessOf(devices, modelOf(standing))
      expect(outlookOf(facts).kind === 'ready').toBe(ready)
      return ready
    },
  },
  'is listed by the gateway': {
    hello: boastOf,
    async holds({ gateway }, _peer, standing) {
      const { data } = (await (await gateway('/v1/models')).json()) as { data: { id: string }[] }
      return data.some(({ id }) => id === modelOf(standing))
    },
  },
  'is dialled where it says it is': {
    prepare: setTraps,
    hello: (standing, world) => ({ capability: { ...BOAST, addresses: [trapOf(world, standing)] } }),
    act: (_world, peer) => peer.connection.close(),
    holds: wasDialled,
  },
  'has others dialled where it says': {
    async prepare(world, standings) {
      await setTraps(world, standings)
      await setAbsent(world, standings)
    },
    hello: (standing, world) => ({
      neighbours: [{ id: world.others.get(standing)?.id, addresses: [trapOf(world, standing)] }],
    }),
    holds: wasDialled,
  },
  'is named to others': {
    async holds({ alice }, peer) {
      const hearer = keep(await startRolePeer(alice, 'own'))
      return neighboursTold(hearer).includes(peer.id)
    },
  },
  'is asked for entries it claims': {
    async act(world, peer, standing) {
      await countStreams(world, peer, standing, LEDGER.id)
      await say(peer, { type: 'heads', heads: ['ab'.repeat(32)] })
    },
    holds: wasCounted,
  },
  'gives entries of others': {
    prepare: setAbsent,
    async act(world, peer, standing) {
      // a device of the owner wrote it, away from everybody: only who brings it is judged
      const writer = world.others.get(standing)
      if (writer === undefined) throw new TypeError(standing)
      const { mesh } = parseInvitation((await world.alice.mesh.invite({ confirmation: 'in-advance' })).url)
      const parents = world.alice.mesh.ledger().slice(-1)
      const place = { parents: parents.map(({ hash }) => hash as EntryHash), at: Date.now(), mesh }
      const fields = { type: 'rename', device: writer.id, name: `Carried by ${standing}` } as const
      await say(peer, { type: 'entries', entries: [(await signEntry(writer.key, fields, place)).bytes] })
    },
    holds: ({ alice }, _peer, standing) =>
      alice.mesh.devices().some((device) => device.name === `Carried by ${standing}`),
  },
  'reports joins': {
    async act(world, peer, standing) {
      const joiner = await newcomer(world, standing)
      const { url } = await world.alice.mesh.invite({ confirmation: 'pictures' })
      const { secret, mesh } = parseInvitation(url)
      const { publicKey, privateKey } = invitationKey(secret)
      const proof = admissionProof(privateKey, mesh, joiner.certificate)
      const commitment = commitmentOf(joiner.nonce, joiner.comparison(url))
      const join = { invitation: invitationIdOfKey(publicKey), certificate: joiner.certificate, proof, path: 'direct' }
      const connection = peer.connection.status === 'open' ? peer.connection : await peer.raw.dial(world.alice)
      const stream = await peer.raw.open(connection, COMPARE)
      await stream.write({ type: 'waits', ...join, commitment })
      const answer = await readFrame(stream).catch(() => undefined)
      if (answer !== undefined) await stream.write({ type: 'open', nonce: joiner.nonce })
    },
    holds: ({ alice, others }, _peer, standing) =>
      alice.mesh.pendingJoins().some((one) => one.device === others.get(standing)?.id),
  },
  'reports knocks': {
    async act(world, peer, standing) {
      const { certificate, key: deviceKey } = await newcomer(world, standing)
      const { publicKey: key, privateKey } = invitationKey(systemRandom.bytes(16))
      const proof = knockProof(privateKey, certificate)
      const { mesh } = parseInvitation((await world.alice.mesh.invite({ confirmation: 'in-advance' })).url)
      const consent = await signConsent(deviceKey, { by: 'words' }, { mesh, key, certificate })
      await say(peer, { type: 'knocks', knocks: [{ certificate, key, proof, path: 'direct', consent }] })
    },
    holds: ({ alice, others }, _peer, standing) =>
      alice.mesh.knocks().some((one) => one.device === others.get(standing)?.id),
  },
  'is told where engines are': {
    prepare: startNeighbours,
    holds: (world, peer) => neighboursTold(peer).includes(world.carol?.mesh.self ?? ''),
  },
  'is told where everybody is': {
    prepare: startNeighbours,
    holds: (world, peer) => neighboursTold(peer).includes(world.bob?.mesh.self ?? ''),
  },
  'is told who knocks': {
    async act({ alice }) {
      if (alice.mesh.knocks().length > 0) return
      const knocker = keep(await startRawNode())
      const { publicKey: key, privateKey } = invitationKey(systemRandom.bytes(16))
      const { certificate } = knocker
      const stream = await knocker.open(await knocker.dial(alice), JOIN)
      await stream.write({ type: 'knock', certificate, key, proof: knockProof(privateKey, certificate) })
      const mesh = toHex((await readFrame(stream))['mesh'] as Uint8Array) as MeshId
      const consent = await signConsent(knocker.key, { by: 'words' }, { mesh, key, certificate })
      await stream.write({ type: 'consent', consent })
      await until(() => alice.mesh.knocks().length > 0, { what: 'the knock to be heard' })
    },
    holds: (_world, peer) => peer.heard.some((frame) => frame['type'] === 'knocks' && count(frame, 'knocks') > 0),
  },
  'is told who waits for its person': {
    async act({ alice }) {
      if (alice.mesh.pendingJoins().length > 0) return
      const joiner = keep(await startRawNode())
      const { url } = await alice.mesh.invite({ confirmation: 'pictures' })
      await joiner.exchange(await joiner.prove(await joiner.dial(alice), url))
      await until(() => alice.mesh.pendingJoins().length > 0, { what: 'the join to wait' })
    },
    holds: (_world, peer) => peer.heard.some((frame) => frame['type'] === 'exchanged'),
  },
  'is used as a relay': {
    async prepare(world) {
      world.phone = await absent(world.alice, 'browser')
    },
    async act(world, peer, standing) {
      await countStreams(world, peer, standing, HOP)
      world.alice.mesh.wake()
    },
    holds: wasCounted,
  },
  'is reached through relays': {
    kind: 'browser',
    async prepare(world) {
      const { raw } = keep(await startRolePeer(world.alice, 'own'))
      await raw.node.handle(HOP, (stream) => {
        stream.addEventListener('message', (event) =>
          world.hops.push(Buffer.from(event.data.subarray()).toString('hex')),
        )
      })
    },
    async act({ alice }, peer) {
      await peer.connection.close()
      alice.mesh.wake()
    },
    holds: ({ hops }, peer) => hops.some((hop) => hop.includes(multihashOf(peer.id))),
  },
  'has documents read from it': {
    act: (world, peer, standing) => countStreams(world, peer, standing, SYNC.id),
    holds: wasCounted,
  },
  'is used for STUN': {
    hello: (standing) => ({ capability: { ...BOAST, stunPort: 5_000 + STANDINGS.indexOf(standing) } }),
    holds: ({ stunServers }, _peer, standing) =>
      stunServers.includes(`stun:127.0.0.1:${String(5_000 + STANDINGS.indexOf(standing))}`),
  },
}

/** As a relay is told whom to connect with. */
function multihashOf(device: DeviceId): string {
  return Buffer.from(peerIdFromString(device).toMultihash().bytes).toString('hex')
}

function count(frame: Frame, field: string): number {
  return (frame[field] as readonly unknown[]).length
}

async function startNeighbours(world: World): Promise<void> {
  const { alice } = world
  const bob = keep(await startPeer('Bob'))
  const carol = keep(await startPeer('Carol', { engines: createTestEngine({ clock: systemClock }) }))
  for (const peer of [bob, carol]) {
    await join(peer, alice)
    await alice.untilOnline(peer)
  }
  await until(() => (alice.sees(carol)?.load.slots ?? 0) > 0, { what: 'the engine of Carol' })
  Object.assign(world, { bob, carol })
}

const [heading = '', ...rows] = MATRIX.split('\n').filter((line) => line.trim() !== '')
const columns = heading.trim().split(/\s+/) as RawStanding[]
const table = rows.map((row) => {
  const [, name = '', marks = ''] = /^ {2}(.+?)\s{2,}(.+)$/.exec(row) ?? []
  return { name, may: new Map(columns.map((column, index) => [column, marks.split(/\s+/)[index] === 'x'])) }
})

test('every use has a row, and every standing a column', () => {
  expect(table.map(({ name }) => name).sort()).toEqual(Object.keys(USES).sort())
  expect(columns).toEqual([...STANDINGS])
})

test.each(table)('only who may $name', async ({ name, may }) => {
  const world = await createWorld()
  const use = USES[name]
  if (use === undefined) throw new TypeError(name)
  await use.prepare?.(world, columns)
  const peers = new Map<RawStanding, RolePeer>()
  for (const standing of columns) {
    const hello = use.hello?.(standing, world)
    const peer = await startRolePeer(world.alice, standing, {
      ...(hello === undefined ? {} : { hello }),
      ...(use.kind === undefined ? {} : { kind: use.kind }),
    })
    peers.set(standing, keep(peer))
  }
  const each = [...peers]
  for (const [standing, peer] of each) await use.act?.(world, peer, standing)
  // what nobody may is looked at when everybody else got it: it had as much time
  const due = each.filter(([standing]) => may.get(standing) === true)
  const late = each.filter(([standing]) => may.get(standing) !== true)
  for (const [standing, peer] of due)
    await until(() => use.holds(world, peer, standing), { timeoutMs: 20_000, what: `${standing} that ${name}` })
  for (const [, peer] of late) {
    if (peer.control !== undefined && peer.connection.status === 'open') await peer.settled().catch(() => undefined)
  }
  for (const [standing, peer] of late)
    expect([standing, await use.holds(world, peer, standing)]).toEqual([standing, false])
})
