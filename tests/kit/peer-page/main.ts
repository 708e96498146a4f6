import { createWorkerDecoder } from '../../../app/ports/worker-decoder.ts'
import { browserPreset } from '../../../app/ports/browser-peer.ts'
import { silentLogger, type Clock, type DeviceId, type Random, type RoomId } from '../../../mesh/base/index.ts'
import { loadDeviceKey } from '../../../mesh/identity/index.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import { createMesh } from '../../../mesh/mesh.ts'
import { createNode, type PeerNode } from '../../../mesh/net/index.ts'
import type { AskEvent } from '../../../mesh/route/index.ts'
import { multiaddr } from '@multiformats/multiaddr'
import { measureAnswer } from '../../bench/measure.ts'
import { createMemoryStore } from '../memory-store.ts'
import { fillRoom, openRoom, openSealedStore, readPlainMessages } from './long-room.ts'
import type { PeerPage } from './peer-page.ts'

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}
const random: Random = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) }

let mesh: Mesh | undefined
let node: PeerNode | undefined

function running(): Mesh {
  if (mesh === undefined) throw new DOMException('The peer was not started.', 'InvalidStateError')
  return mesh
}

const page: PeerPage = {
  async start(name, { stored = false } = {}) {
    mesh = await createMesh({
      decoder: createWorkerDecoder({ clock, log: silentLogger }),
      clock,
      random,
      store: stored ? await openSealedStore('peer-page') : createMemoryStore(),
      log: silentLogger,
      preset: browserPreset(),
      device: { name, kind: 'browser' },
    })
    return mesh.self
  },
  join: (link) => running().join(link),
  devices: () => running().devices(),
  async ask(text, device) {
    const events: AskEvent[] = []
    let answer = ''
    const request = {
      messages: [{ role: 'user' as const, content: text }],
      sampling: {},
      ...(device === undefined ? {} : { device: device as DeviceId }),
    }
    for await (const event of running().ask(request, { signal: new AbortController().signal })) {
      events.push(event)
      if (event.type === 'text') answer += event.text
    }
    return { text: answer, events }
  },
  measure: (text, maxTokens) =>
    measureAnswer(
      running().ask(
        { messages: [{ role: 'user', content: text }], sampling: { temperature: 0, maxTokens } },
        { signal: new AbortController().signal },
      ),
    ),
  fillRoom: (messages) => fillRoom(running(), messages),
  openRoom: (room) => openRoom(running(), room as RoomId),
  readPlainMessages,
  async startNode(relay) {
    const key = await loadDeviceKey(createMemoryStore(), random)
    node = await createNode(browserPreset(), key.privateKey, {
      mayDial: () => true,
      mayRelay: () => true,
      mayConnect: () => true,
    })
    await node.dial(multiaddr(relay))
    return key.id
  },
  async dialAndCut(address) {
    if (node === undefined) throw new DOMException('The node was not started.', 'InvalidStateError')
    const startedAt = performance.now()
    const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000) })
    const ms = performance.now() - startedAt
    const direct = connection.direct && connection.limits === undefined
    await connection.close()
    return { ms, direct }
  },
  async stop() {
    await mesh?.stop()
    await node?.stop()
  },
}

Object.assign(globalThis, { peer: page })
