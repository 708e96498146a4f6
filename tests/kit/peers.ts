import type { Door } from '../../helper/door/index.ts'
import { loadPeerCertificate } from '../../helper/ports/certificate.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { nodePreset, type PeerPorts } from '../../helper/ports/node-peer.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger, type Clock, type Logger, type RoomId } from '../../mesh/base/index.ts'
import type { EngineHost } from '../../mesh/engine/index.ts'
import type { DeviceView, Mesh } from '../../mesh/mesh-types.ts'
import { createMesh, type Discovery } from '../../mesh/mesh.ts'
import type { NodePreset } from '../../mesh/net/index.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'
import { directDecoder } from './sync-peers.ts'
import { until } from './wait.ts'

/** A whole helper peer inside the test's process: real libp2p on loopback, its store in memory. */
export interface TestPeer {
  readonly name: string
  readonly mesh: Mesh
  readonly store: MemoryStore
  /** This peer's view of another. */
  sees(other: TestPeer): DeviceView | undefined
  /** Resolves when the other is linked. */
  untilOnline(other: TestPeer): Promise<DeviceView>
  stop(): Promise<void>
}

/** Starts a persona's peer. Give the store of an earlier one to start the same device again. */
export async function startPeer(
  name: string,
  options: {
    engines?: EngineHost
    store?: MemoryStore
    log?: Logger
    clock?: Clock
    /** Default: a helper's node on free loopback ports. */
    preset?: NodePreset
    discovery?: Discovery
  } = {},
): Promise<TestPeer> {
  const store = options.store ?? createMemoryStore()
  const clock = options.clock ?? systemClock
  const mesh = await createMesh({
    clock,
    random: systemRandom,
    store,
    log: options.log ?? silentLogger,
    preset: options.preset ?? (await loopbackPreset(store)),
    device: { name, kind: 'helper' },
    engines: options.engines,
    decoder: { ...directDecoder },
    discovery: options.discovery,
    pageUrl: () => 'http://127.0.0.1:1/',
  })
  const sees = (other: TestPeer): DeviceView | undefined =>
    mesh.devices().find((device) => device.id === other.mesh.self)
  return {
    name,
    mesh,
    store,
    sees,
    untilOnline: (other) =>
      until(
        () => {
          const view = sees(other)
          return view?.state === 'online' && view
        },
        { what: `${name} to be linked with ${other.name}` },
      ),
    stop: () => mesh.stop(),
  }
}

/** A helper's node on loopback, with the certificate the store keeps. */
export async function loopbackPreset(
  store: MemoryStore,
  ports: PeerPorts = { ws: 0, tcp: 0, webrtcDirect: 0 },
): Promise<NodePreset> {
  const certificate = await loadPeerCertificate({ store, clock: systemClock, random: systemRandom })
  return nodePreset({ ports, lan: false, certificate })
}

/** A helper's node whose WebSockets come in at a door. */
export function entrancePreset(store: MemoryStore, door: Door): Promise<NodePreset> {
  const ws = {
    addresses: () => [`/ip4/127.0.0.1/tcp/${String(door.port)}/ws`],
    servePeers: door.servePeers,
  }
  return loopbackPreset(store, { ws, tcp: 0, webrtcDirect: 0 })
}

/** Makes `joiner` a device of `inviter`'s mesh by a link confirmed in advance. */
export async function join(joiner: TestPeer, inviter: TestPeer, person?: string): Promise<void> {
  const invitation = await inviter.mesh.invite({ confirmation: 'in-advance', person })
  await joinBy(joiner, inviter, invitation.url)
}

/** Joins by a link; where the joiner has something to lose, people on both sides say that the pictures match. */
export async function joinBy(joiner: TestPeer, inviter: TestPeer, url: string): Promise<void> {
  await joiner.mesh.join(url, {
    opened: 'by-hand',
    onProgress({ asks, pictures }) {
      if (asks === true) void sayThatTheyMatch(joiner, inviter, url, pictures ?? [])
    },
  })
}

async function sayThatTheyMatch(
  joiner: TestPeer,
  inviter: TestPeer,
  url: string,
  pictures: readonly string[],
): Promise<void> {
  const { invitation } = await until(
    () => inviter.mesh.pendingJoins().find((one) => one.pictures.join() === pictures.join()),
    { what: 'the same pictures on both sides' },
  )
  await inviter.mesh.settleJoin(invitation, true)
  await joiner.mesh.agreeToJoin(url, true)
}

/** Lets a member in who makes a room with the person of `owner` in it. */
export async function roomOfMember(member: TestPeer, owner: TestPeer): Promise<RoomId> {
  await join(member, owner, member.name)
  await member.untilOnline(owner)
  const { rooms, people } = member.mesh.rooms
  const others = people().filter(({ name }) => name !== member.name)
  return rooms.create({ name: 'Mine', people: others.map(({ id }) => id), history: 'all' })
}
