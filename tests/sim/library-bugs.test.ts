import { readFile, readdir } from 'node:fs/promises'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { loadPeerCertificate } from '../../helper/ports/certificate.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { nodeTransports } from '../../helper/ports/node-peer.ts'
import { freeUdpPort } from '../../helper/ports/udp-port.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { MeshError } from '../../mesh/base/index.ts'
import { loadDeviceKey } from '../../mesh/identity/index.ts'
import { addressesOf, createNode, type PeerNode } from '../../mesh/net/index.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { until } from '../kit/wait.ts'

// Bugs of libp2p 3.3 that cost links; each test fails without its fix.

const running: PeerNode[] = []
afterEach(async () => {
  for (const node of running.splice(0)) await node.stop()
})

async function startNode(webrtcDirect = 0): Promise<PeerNode> {
  const store = createMemoryStore()
  const key = await loadDeviceKey(store, systemRandom)
  const certificate = await loadPeerCertificate({ store, clock: systemClock, random: systemRandom })
  const preset = nodeTransports({ host: '127.0.0.1', ports: { ws: 0, tcp: 0, webrtcDirect }, certificate })
  const node = await createNode(preset, key.privateKey, {
    mayDial: () => true,
    mayRelay: () => false,
    mayConnect: () => false,
  })
  running.push(node)
  return node
}

const webSocketOf = (node: PeerNode): string => addressesOf(node).find((address) => address.includes('/ws')) ?? ''

test('cutting a WebSocket connection ends it at once on the other side too', async () => {
  const alice = await startNode()
  const bob = await startNode()
  const connection = await bob.dial(multiaddr(webSocketOf(alice)))
  await until(() => alice.getConnections().length === 1, { what: 'the connection to be seen' })
  connection.abort(new MeshError('aborted', 'cut'))
  // unpatched, the socket stays open and the other side keeps the dead connection for 25 s
  await until(() => alice.getConnections().length === 0, { what: 'the other side to notice', timeoutMs: 5_000 })
})

test('a WebSocket that is refused after its dial was given up ends no process', async () => {
  const bob = await startNode()
  const gone = await startNode()
  const way = webSocketOf(gone)
  await gone.stop()
  // without the shim the refusal is an error event without a listener, which vitest reports and Node ends by
  const given = new AbortController()
  const dial = bob.services.dialler.dial(multiaddr(way), { signal: given.signal })
  // the socket is there, its refusal is not: that needs a turn of the event loop
  for (let step = 0; step < 20; step++) await Promise.resolve()
  given.abort()
  await expect(dial).rejects.toThrow()
  // refused as well, later: by then the first refusal has come
  await expect(bob.dial(multiaddr(way))).rejects.toThrow()
})

test('many pings at once between two devices cut no connection', async () => {
  const alice = await startNode()
  const bob = await startNode()
  await bob.dial(multiaddr(webSocketOf(alice)))
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => bob.services.ping.ping(alice.peerId)))
  expect(answers.filter((answer) => answer.status === 'rejected')).toEqual([])
  expect(bob.getConnections()).toHaveLength(1)
})

test('at the port of WebRTC-direct of a node that stopped another one of the process listens, and is dialled there', async () => {
  const port = await freeUdpPort('127.0.0.1')
  // another listener of the process: unpatched, connections to any go over the socket of the first
  const other = await startNode()
  // unpatched, the second or third finds the port taken, and who sends there then may end the process
  for (let start = 0; start < 3; start++) {
    const node = await startNode(port)
    const way = addressesOf(node).find((address) => address.includes(`/udp/${String(port)}/webrtc-direct`)) ?? ''
    const dialler = await startNode()
    const connection = await dialler.dial(multiaddr(way))
    expect(connection.direct).toBe(true)
    await node.stop()
  }
  expect(other.getConnections()).toEqual([])
})

test('the fixes kept in patches/ are in the installed libraries', async () => {
  const root = new URL('../../', import.meta.url)
  const patches = (await readdir(new URL('patches/', root))).filter((name) => name.endsWith('.patch'))
  expect(patches).toHaveLength(2)
  for (const name of patches) {
    const patch = await readFile(new URL(`patches/${name}`, root), 'utf8')
    for (const part of patch.split(/^diff --git /m).slice(1)) {
      const file = /^\+\+\+ b\/(.+)$/m.exec(part)?.[1] ?? ''
      const installed = await readFile(new URL(file, root), 'utf8')
      const added = part.split('\n').filter((line) => line.startsWith('+') && !line.startsWith('+++'))
      expect(added.length).toBeGreaterThan(0)
      for (const line of added) expect(installed, file).toContain(line.slice(1))
    }
  }
})
