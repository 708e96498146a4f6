import { createHmac, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemRandom } from '../../helper/ports/random.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// Anybody who can send UDP: packets that ask for a connection over WebRTC-direct, each under another name.

let alice: TestPeer
beforeAll(async () => {
  alice = await startPeer('Alice')
})
afterAll(() => alice.stop())

const MAGIC = 0x2112a442
const attribute = (type: number, value: Buffer): Buffer => {
  const head = Buffer.alloc(4)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(value.length, 2)
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)])
}

/** A STUN binding request (RFC 8489) as a browser's first packet is. */
function bindingRequest(name: string): Buffer {
  const id = randomBytes(12)
  const head = (length: number): Buffer => {
    const first = Buffer.alloc(8)
    first.writeUInt16BE(1, 0)
    first.writeUInt16BE(length, 2)
    first.writeUInt32BE(MAGIC, 4)
    return Buffer.concat([first, id])
  }
  let body = Buffer.concat([
    attribute(0x0006, Buffer.from(`${name}:${name}`)),
    attribute(0x802a, randomBytes(8)),
    attribute(0x0025, Buffer.alloc(0)),
    attribute(0x0024, Buffer.from([0x6e, 0x7f, 0x1e, 0xff])),
  ])
  const mac = createHmac('sha1', name)
    .update(Buffer.concat([head(body.length + 24), body]))
    .digest()
  body = Buffer.concat([body, attribute(0x0008, mac)])
  const print = Buffer.alloc(4)
  print.writeUInt32BE((crc32(Buffer.concat([head(body.length + 8), body])) ^ 0x5354554e) >>> 0, 0)
  body = Buffer.concat([body, attribute(0x8028, print)])
  return Buffer.concat([head(body.length), body])
}

test('a flood of them costs packets, and not a connection each', async () => {
  const address = alice.mesh.addresses().find((one) => one.includes('/webrtc-direct')) ?? ''
  const port = Number(/\/udp\/(\d+)\//.exec(address)?.[1])
  const socket = createSocket('udp4')
  const before = process.cpuUsage()
  for (let count = 0; count < 1_500; count++) {
    const name = `libp2p+webrtc+v1/${Buffer.from(systemRandom.bytes(16)).toString('hex')}`
    await new Promise((resolve) => {
      socket.send(bindingRequest(name), port, '127.0.0.1', resolve)
    })
    if (count % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  // and all that was begun for them is over
  await until(() => alice.mesh.addresses().length > 0, { what: 'the peer to go on' })
  const { user, system } = process.cpuUsage(before)
  socket.close()
  // some three ms for each connection that is made; a packet that is dropped takes a fraction of one
  expect((user + system) / 1_000).toBeLessThan(2_000)
})
