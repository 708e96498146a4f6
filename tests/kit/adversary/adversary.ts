import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { webRTC, webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { systemClock } from '../../../helper/ports/clock.ts'
import { systemRandom } from '../../../helper/ports/random.ts'
import { asId, MeshError, type DeviceId, type EntryHash, type MeshId } from '../../../mesh/base/index.ts'
import {
  admissionProof,
  COMMITMENT_BYTES,
  invitationIdOfKey,
  invitationKey,
  knockProof,
  loadDeviceKey,
  loadSealingKey,
  openEntry,
  parseInvitation,
  signCertificate,
  signConsent,
  signEntry,
  type DeviceKey,
  type EntryFields,
  type SignedCertificate,
} from '../../../mesh/identity/index.ts'
import { CONTROL } from '../../../mesh/net/protocols/control/messages.ts'
import { JOIN } from '../../../mesh/net/protocols/join/messages.ts'
import { toHex } from '../../../mesh/wire/index.ts'
import { createMemoryStore } from '../memory-store.ts'
import { until } from '../wait.ts'
import { rawStream, type RawStream } from './raw-stream.ts'

/** Who attacks: from nobody to another person's owner, and one that was removed. */
export const ADVERSARY_ROLES = [
  'stranger',
  'link-holder',
  'guest',
  'helper-only',
  'member',
  'owner',
  'removed',
] as const
/** One of {@link ADVERSARY_ROLES}. */
export type AdversaryRole = (typeof ADVERSARY_ROLES)[number]

/** Whom it attacks, and how that one lets it in. */
export interface Target {
  /** Multiaddrs at which it is reached. */
  addresses(): readonly string[]
  /** Where it is let in, where that is not what it attacks. */
  door?(): readonly string[]
  /** A link that admits one device of a new person called Mallory with this role, in advance. */
  invite(role: 'owner' | 'member' | 'helper-only' | 'guest'): Promise<string>
  /** Removes a device. */
  remove(id: DeviceId): Promise<void>
}

/** A device whose software is its owner's own: a bare node, every byte of which the test chooses. */
export interface Adversary {
  readonly role: AdversaryRole
  readonly id: DeviceId
  readonly key: DeviceKey
  readonly certificate: SignedCertificate
  readonly node: Libp2p
  /** The mesh as far as it knows one; zeros for a stranger. */
  readonly mesh: MeshId
  /** Entries of the ledger it was given when it was admitted. */
  readonly entries: readonly Uint8Array[]
  /** A link it holds; empty for a stranger. */
  readonly link: string
  /** A new connection beside those it has. @throws when it is refused */
  dial(signal?: AbortSignal): Promise<Connection>
  /** A stream of any protocol, without a frame said. @throws when it is refused */
  open(connection: Connection, protocol: string, signal?: AbortSignal): Promise<RawStream>
  /** A control stream on which both said hello. @throws what the other side told */
  control(connection: Connection): Promise<RawStream>
  /** An entry of the ledger signed by it: linking these, or what it was given last. */
  entry(fields: EntryFields, parents?: readonly EntryHash[]): Promise<Uint8Array>
  /** The frame of a knock, with words nobody will type. */
  knock(): object
  /** Knocks on a stream of the join protocol, and agrees to come, until it is told to wait. */
  knockOn(stream: RawStream): Promise<void>
  stop(): Promise<void>
}

/** A capability record with nothing in it. */
const NOTHING = { kind: 'browser', models: [], load: { slots: 0, busy: 0, queued: 0 }, addresses: [] }

/** Starts one at a role. A target that is a person's own peer gives a link for it and, for a removed one, takes it out. */
export async function startAdversary(role: AdversaryRole, target: Target): Promise<Adversary> {
  const store = createMemoryStore()
  const key = await loadDeviceKey(store, systemRandom)
  const { publicKey: sealingKey } = await loadSealingKey(store, systemRandom)
  const certificate = await signCertificate(key, {
    sealingKey,
    kind: 'browser',
    name: 'Mallory',
    at: systemClock.now(),
  })
  // no limits of our own: neither streams nor windows nor connections
  const node = await createLibp2p({
    privateKey: key.privateKey,
    start: true,
    addresses: { listen: [] },
    transports: [tcp(), webSockets(), circuitRelayTransport(), webRTC(), webRTCDirect()],
    services: { identify: identify() },
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxInboundStreams: 100_000, maxOutboundStreams: 100_000 })],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
    connectionManager: { maxConnections: 100_000, reconnectRetries: 0, maxParallelDials: 500 },
  })

  const dialOneOf = (addresses: readonly string[], signal?: AbortSignal): Promise<Connection> => {
    // over TCP, where the sender feels it when the other side does not read
    const way = addresses.find((one) => /\/tcp\/\d+\/p2p\//.test(one)) ?? addresses[0] ?? ''
    return node.dial(multiaddr(way), { force: true, ...(signal === undefined ? {} : { signal }) })
  }
  const dial: Adversary['dial'] = (signal) => dialOneOf(target.addresses(), signal)
  const open: Adversary['open'] = async (connection, protocol, signal) =>
    rawStream(
      await connection.newStream(protocol, {
        maxOutboundStreams: 100_000,
        runOnLimitedConnection: true,
        ...(signal === undefined ? {} : { signal }),
      }),
    )

  const knockFrame = () => {
    const { publicKey, privateKey } = invitationKey(systemRandom.bytes(16))
    return { type: 'knock', certificate, key: publicKey, proof: knockProof(privateKey, certificate) }
  }

  let link = ''
  let mesh = asId<MeshId>('0'.repeat(64))
  const entries: Uint8Array[] = []

  const proveLink = async (): Promise<void> => {
    const { secret, inviter, person, role: shown, confirmation } = parseInvitation(link)
    const { publicKey, privateKey } = invitationKey(secret)
    const connection = await dialOneOf(target.door?.() ?? target.addresses())
    const stream = await open(connection, JOIN.id)
    const proof = admissionProof(privateKey, mesh, certificate)
    // confirmed in advance: nobody compares, the number is bound to nothing
    const commitment = systemRandom.bytes(COMMITMENT_BYTES)
    const invitation = invitationIdOfKey(publicKey)
    await stream.write({ type: 'prove', invitation, certificate, proof, commitment, pictures: false })
    const terms = { by: 'link', inviter, person, role: shown, confirmation } as const
    const consent = await signConsent(key, terms, { mesh, key: publicKey, certificate })
    await stream.write({ type: 'consent', consent })
    for (;;) {
      const frame = await stream.read()
      if (frame['type'] === 'end') break
      if (frame['type'] !== 'entries') throw new MeshError('bug', `Not admitted: ${JSON.stringify(frame)}`)
      entries.push(...(frame['entries'] as Uint8Array[]))
    }
    await connection.close()
  }

  if (role !== 'stranger') {
    const wanted = role === 'removed' || role === 'link-holder' ? 'member' : role
    link = await target.invite(wanted)
    mesh = parseInvitation(link).mesh
    if (role !== 'link-holder') await proveLink()
    if (role === 'removed') await target.remove(key.id)
  }

  return {
    role,
    id: key.id,
    key,
    certificate,
    node,
    mesh,
    entries,
    link,
    dial,
    open,
    async control(connection) {
      const stream = await open(connection, CONTROL.id)
      await stream.write({ type: 'hello', mesh, heads: [], capability: NOTHING, neighbours: [] })
      await until(async () => (await stream.read())['type'] === 'hello', { what: 'the other side to say hello' })
      return stream
    },
    async entry(fields, parents) {
      const last = entries.at(-1)
      const heads = parents ?? (last === undefined ? [] : [(await openEntry(last, mesh)).hash])
      return (await signEntry(key, fields, { parents: heads, at: systemClock.now(), mesh })).bytes
    },
    knock: () => knockFrame(),
    async knockOn(stream) {
      const knock = knockFrame()
      await stream.write(knock)
      const told = toHex((await stream.read())['mesh'] as Uint8Array) as MeshId
      const consent = await signConsent(key, { by: 'words' }, { mesh: told, key: knock.key, certificate })
      await stream.write({ type: 'consent', consent })
      const { type } = await stream.read()
      if (type !== 'waiting') throw new MeshError('bug', 'The knock was not taken.')
    },
    async stop() {
      await node.stop()
    },
  }
}
