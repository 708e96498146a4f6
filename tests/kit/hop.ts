import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { MeshError, type DeviceId } from '../../mesh/base/index.ts'

// Circuit relay v2 by hand: a device of one's own making asks the relay of a helper.

/** The protocol a relay serves. */
export const HOP = '/libp2p/circuit/relay/0.2.0/hop'

/** What a relay answers, by number (circuit v2). */
export const HOP_STATUS = { ok: 100, denied: 202, failed: 203, noReservation: 204 } as const

/** Asks to be kept reachable. Resolves to the status. */
export function reserve(connection: Connection): Promise<number> {
  return request(connection, [0x08, 0x00])
}

/** Asks to be connected with a device. Resolves to the status. */
export function connectTo(connection: Connection, device: DeviceId): Promise<number> {
  const id = peerIdFromString(device).toMultihash().bytes
  return request(connection, [0x08, 0x01, 0x12, id.length + 2, 0x0a, id.length, ...id])
}

async function request(connection: Connection, message: readonly number[]): Promise<number> {
  const stream = await connection.newStream(HOP)
  const reply = new Promise<Uint8Array>((resolve, reject) => {
    stream.addEventListener('message', (event) => {
      resolve(event.data.subarray())
    })
    stream.addEventListener('close', () => {
      reject(new MeshError('peer-gone', 'The relay closed the stream.'))
    })
  })
  stream.send(Uint8Array.from([message.length, ...message]))
  return statusOf(await reply)
}

/** The status (field 5) of a HopMessage with its length before it. */
function statusOf(reply: Uint8Array): number {
  const [, start] = varint(reply, 0)
  let at = start
  while (at < reply.length) {
    const [tag, afterTag] = varint(reply, at)
    const [value, next] = varint(reply, afterTag)
    if (tag === 0x28) return value
    at = (tag & 7) === 2 ? next + value : next
  }
  throw new MeshError('malformed', 'The relay told no status.')
}

function varint(bytes: Uint8Array, from: number): [value: number, next: number] {
  let value = 0
  for (let at = from, shift = 0; ; at++, shift += 7) {
    const byte = bytes[at] ?? 0
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return [value, at + 1]
  }
}
