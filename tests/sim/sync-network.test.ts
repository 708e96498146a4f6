import type { Connection } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { MeshError, silentLogger, type DeviceId } from '../../mesh/base/index.ts'
import { createNode, openSync, serveProtocols, syncProtocol, type PeerNode } from '../../mesh/net/index.ts'
import { createDocuments, createSyncer, type Documents, type Syncer } from '../../mesh/sync/index.ts'
import { createSeededRandom } from '../kit/random.ts'
import { createVirtualNetwork, type VirtualNetwork } from '../kit/network.ts'
import { createTestScopes, syncPorts, type TestScopes } from '../kit/sync-peers.ts'
import { quietEvents, ROOM, stateOf } from '../kit/sync-world.ts'
import { until } from '../kit/wait.ts'

interface NetworkPeer {
  readonly id: DeviceId
  readonly node: PeerNode
  readonly documents: Documents
  readonly syncer: Syncer
  link(connection: Connection): void
  stop(): Promise<void>
}

async function startPeer(name: string, network: VirtualNetwork, scopes: TestScopes): Promise<NetworkPeer> {
  const ports = await syncPorts({ scopes, random: createSeededRandom(name), clock: systemClock })
  scopes.grant(ports.signer.id, 'mesh', ['read', 'write', 'store'])
  const node = await createNode(network.preset(name), ports.signer.privateKey, {
    mayDial: () => true,
    mayRelay: () => false,
    mayConnect: () => false,
  })
  const documents = await createDocuments(ports)
  const connections = new Map<DeviceId, Connection>()
  const changes = quietEvents<void>()
  const syncer = createSyncer({
    documents,
    ports,
    links: {
      changes,
      linked: () => [...connections].filter(([, one]) => one.status === 'open').map(([id]) => id),
      open: (peer, options) => {
        const connection = connections.get(peer)
        if (connection === undefined) throw new MeshError('peer-gone', 'Not linked.')
        return openSync(connection, { clock: systemClock }, options)
      },
    },
  })
  await serveProtocols(
    node,
    [syncProtocol(syncer.host)],
    { admitted: () => true, mayCall: () => true, refusal: () => new MeshError('not-admitted', 'No.') },
    { clock: systemClock, log: silentLogger },
  )
  syncer.start()
  return {
    id: ports.signer.id,
    node,
    documents,
    syncer,
    link(connection) {
      connections.set(connection.remotePeer.toString() as DeviceId, connection)
      changes.emit()
    },
    async stop() {
      await syncer.stop()
      documents.stop()
      await node.stop()
    },
  }
}

async function dial(from: NetworkPeer, to: NetworkPeer): Promise<void> {
  const [address] = to.node.getMultiaddrs()
  if (address === undefined) throw new MeshError('bug', 'No address.')
  const connection = await from.node.dial(address)
  from.link(connection)
  const back = await until(() => to.node.getConnections().find((one) => one.remotePeer.equals(from.node.peerId)), {
    what: 'the connection at the other end',
  })
  to.link(back)
}

test('documents of many megabytes cross a real link whole, in both directions at once, also when it is cut', async () => {
  const network = createVirtualNetwork({ clock: systemClock, random: createSeededRandom('net') })
  const scopes = createTestScopes(createSeededRandom('scopes'))
  const alice = await startPeer('alice', network, scopes)
  const bob = await startPeer('bob', network, scopes)
  await scopes.rotate('mesh')
  const [here, there] = [await alice.documents.open(ROOM.id, ROOM), await bob.documents.open(ROOM.id, ROOM)]
  // more than any buffer between them: without credits libp2p would reset the stream at 4 MiB
  for (let index = 0; index < 40; index++) {
    await here.write([{ bytes: new Uint8Array(200_000).fill(index) }])
    await there.write([{ bytes: new Uint8Array(30_000).fill(index) }])
  }
  await dial(alice, bob)
  await until(() => there.operations().size > 45, { what: 'some of it to arrive' })
  for (const connection of alice.node.getConnections()) connection.abort(new MeshError('peer-gone', 'A cut.'))
  await until(() => bob.node.getConnections().length === 0, { what: 'the cut to be seen' })
  await dial(alice, bob)
  await until(() => here.operations().size === 80 && there.operations().size === 80, {
    what: 'everything to arrive',
    timeoutMs: 30_000,
  })
  expect(stateOf(there)).toEqual(stateOf(here))
  const [id = ''] = await here.write([{ bytes: new Uint8Array([1]) }])
  await until(() => there.operations().has(id), { what: 'a live message' })
  await until(async () => (await alice.syncer.holders(ROOM))(id).includes(bob.id), { what: 'its acknowledgement' })
  await alice.stop()
  await bob.stop()
}, 90_000)
