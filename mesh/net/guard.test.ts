import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { createGuard } from './guard.ts'

// WebRTC as libp2p has it: streams are data channels, and nothing makes their sender wait.

interface Channel {
  readonly label: string
  onmessage: ((event: { readonly data: unknown }) => void) | null
}

function connect() {
  const clock = createVirtualClock()
  const guard = createGuard({
    ...{ clock, random: createSeededRandom('guard') },
    spender: () => 'guest',
    isExpected: () => true,
  })
  const taken: unknown[] = []
  const streams: Stream[] = []
  const muxer = Object.assign(new EventTarget(), {
    ...{ protocol: '/webrtc', status: 'open', streams },
    createStream: () => Promise.reject(new TypeError('nobody asks')),
    peerConnection: { ondatachannel: (event: unknown) => void taken.push(event) },
  })
  let isCut = false
  const connection = Object.assign(new EventTarget(), {
    ...{ muxer, status: 'open', direction: 'outbound', timeline: {}, remotePeer: { toString: () => 'guest' } },
    abort: () => (isCut = true),
  }) as unknown as Connection
  const node = Object.assign(new EventTarget(), { getConnections: () => [] })
  guard.attach(node as unknown as Libp2p)
  node.dispatchEvent(new CustomEvent('connection:open', { detail: connection }))
  const open = (protocol: string): ((data: Uint8Array) => void) => {
    const channel: Channel = { label: '', onmessage: (event) => void taken.push(event) }
    const stream = Object.assign(new EventTarget(), { protocol, channel, direction: 'inbound', abort: () => undefined })
    streams.push(stream as unknown as Stream)
    muxer.dispatchEvent(new CustomEvent('stream', { detail: stream }))
    return (data) => channel.onmessage?.({ data })
  }
  return { muxer, taken, open, isCut: () => isCut }
}

/** How many go through before the connection is cut. */
function untilCut({ taken, isCut }: ReturnType<typeof connect>, send: () => void): number {
  for (let sent = 0; sent < 5_000 && !isCut(); sent++) send()
  return taken.length
}

test('a long message of WebRTC costs as many short ones as would carry it', () => {
  const [one, other] = [connect(), connect()]
  const sendShort = one.open('/plexus/control/1')
  const sendLong = other.open('/plexus/control/1')
  const short = untilCut(one, () => {
    sendShort(new Uint8Array(1))
  })
  const long = untilCut(other, () => {
    sendLong(new Uint8Array(16 * 1024))
  })
  expect(short).toBeGreaterThan(500)
  expect(long).toBeCloseTo(short / 2, -1)
})

test('what is relayed over a connection is not charged to who relays it', () => {
  const connected = connect()
  const send = connected.open('/libp2p/circuit/relay/0.2.0/stop')
  const came = untilCut(connected, () => {
    send(new Uint8Array(16))
  })
  expect([came, connected.isCut()]).toEqual([5_000, false])
})

test('channels that only open a connection are charged like streams', () => {
  const connected = connect()
  const came = untilCut(connected, () => {
    connected.muxer.peerConnection.ondatachannel({ channel: { label: 'init', onmessage: null } })
  })
  expect([came < 100, connected.isCut()]).toEqual([true, true])
})
