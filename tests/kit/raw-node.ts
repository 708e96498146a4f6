import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import * as z from 'zod/mini'
import { loadPeerCertificate } from '../../helper/ports/certificate.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { nodeTransports } from '../../helper/ports/node-peer.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import type { DeviceId } from '../../mesh/base/index.ts'
import {
  admissionProof,
  certificateHash,
  commitmentOf,
  invitationIdOfKey,
  invitationKey,
  loadDeviceKey,
  loadSealingKey,
  parseInvitation,
  signCertificate,
  signConsent,
  type Comparison,
  type DeviceKey,
  type SignedCertificate,
} from '../../mesh/identity/index.ts'
import { createNode, type PeerNode } from '../../mesh/net/index.ts'
import { openStream, type ProtocolShape } from '../../mesh/net/protocol.ts'
import { CONTROL } from '../../mesh/net/protocols/control/messages.ts'
import { JOIN } from '../../mesh/net/protocols/join/messages.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import { createMemoryStore } from './memory-store.ts'
import type { TestPeer } from './peers.ts'

/** A device of somebody who writes their own program: real libp2p, and every frame is theirs to choose. */
export interface RawNode {
  readonly id: DeviceId
  readonly key: DeviceKey
  readonly certificate: SignedCertificate
  readonly node: PeerNode
  /** A new connection to a peer. */
  dial(peer: TestPeer): Promise<Connection>
  /** Proves an invitation and agrees to it, where no pictures are compared; the stream then carries what the inviter says. */
  prove(connection: Connection, link: string, change?: Record<string, unknown>): Promise<FrameStream>
  /** Exchanges numbers after `prove`, and agrees to the link of that; resolves to the inviter's. */
  exchange(stream: FrameStream): Promise<Uint8Array>
  /** That this node comes as what the link says, signed. */
  consent(link: string): Promise<Uint8Array>
  /** The number that `prove` bound this node to for the pictures. */
  readonly nonce: Uint8Array
  /** What an invitation's pictures are of when this node comes by it. */
  comparison(link: string): Comparison
  /** Says hello on a control stream and resolves to the first frame back. */
  hello(connection: Connection, change?: Record<string, unknown>): Promise<{ stream: FrameStream; told: Frame }>
  open(connection: Connection, protocol: ProtocolShape): Promise<FrameStream>
  stop(): Promise<void>
}

/** A frame that was not looked at. */
export type Frame = Readonly<Record<string, unknown>>

/** Reads any frame. @throws what the other side told, as {@link FrameStream.read} does */
export async function readFrame(stream: FrameStream, timeoutMs = 10_000): Promise<Frame> {
  return await stream.read(z.record(z.string(), z.unknown()), { timeoutMs })
}

/** A capability record with nothing in it. */
export const EMPTY_CAPABILITY = {
  kind: 'browser',
  models: [],
  load: { slots: 0, busy: 0, queued: 0 },
  addresses: [],
} as const

/** Starts one on free loopback ports. */
export async function startRawNode(kind: 'helper' | 'browser' = 'browser'): Promise<RawNode> {
  const store = createMemoryStore()
  const key = await loadDeviceKey(store, systemRandom)
  const { publicKey } = await loadSealingKey(store, systemRandom)
  const certificate = await signCertificate(key, {
    sealingKey: publicKey,
    kind,
    name: 'Mallory',
    at: systemClock.now(),
  })
  const transport = await loadPeerCertificate({ store, clock: systemClock, random: systemRandom })
  const node = await createNode(
    nodeTransports({ host: '127.0.0.1', ports: { ws: 0, tcp: 0, webrtcDirect: 0 }, certificate: transport }),
    key.privateKey,
    { mayDial: () => true, mayRelay: () => false, mayConnect: () => false },
  )
  const open: RawNode['open'] = (connection, protocol) =>
    openStream(connection, protocol, { clock: systemClock }, { signal: new AbortController().signal })
  const nonce = systemRandom.bytes(32)
  const comparison: RawNode['comparison'] = (link) => {
    const { secret, mesh, inviter } = parseInvitation(link)
    const invitation = invitationIdOfKey(invitationKey(secret).publicKey)
    return { mesh, inviter, invitation, joiner: key.id, certificate: certificateHash(certificate) }
  }
  const consent: RawNode['consent'] = (link) => {
    const { secret, mesh, inviter, person, role, confirmation } = parseInvitation(link)
    const place = { mesh, key: invitationKey(secret).publicKey, certificate }
    return signConsent(key, { by: 'link', inviter, person, role, confirmation }, place)
  }
  let provenLink = ''
  return {
    id: key.id,
    key,
    consent,
    certificate,
    node,
    open,
    nonce,
    comparison,
    dial: (peer) =>
      node.dial(multiaddr(peer.mesh.addresses().find((address) => address.includes('/ws')) ?? ''), { force: true }),
    async prove(connection, link, change = {}) {
      provenLink = link
      const { secret, mesh } = parseInvitation(link)
      const { publicKey: invited, privateKey } = invitationKey(secret)
      const stream = await open(connection, JOIN)
      await stream.write({
        type: 'prove',
        invitation: invitationIdOfKey(invited),
        certificate,
        proof: admissionProof(privateKey, mesh, certificate),
        commitment: commitmentOf(nonce, comparison(link)),
        pictures: false,
        ...change,
      })
      const compares = change['pictures'] === true || parseInvitation(link).confirmation === 'pictures'
      // whoever refused it meanwhile has said why
      if (!compares) await stream.write({ type: 'consent', consent: await consent(link) }).catch(() => undefined)
      return stream
    },
    async exchange(stream) {
      let answer = await readFrame(stream)
      if (answer['type'] === 'waiting') answer = await readFrame(stream)
      await stream.write({ type: 'open', nonce })
      await stream.write({ type: 'consent', consent: await consent(provenLink) })
      return answer['nonce'] as Uint8Array
    },
    async hello(connection, change = {}) {
      const stream = await open(connection, CONTROL)
      await stream.write({
        type: 'hello',
        mesh: '0'.repeat(64),
        heads: [],
        capability: EMPTY_CAPABILITY,
        neighbours: [],
        ...change,
      })
      return { stream, told: await readFrame(stream) }
    },
    stop: async () => {
      await node.stop()
    },
  }
}
