import { createSocket } from 'node:dgram'
import { MeshError } from '../../mesh/base/index.ts'

/** A UDP port of `host` that was free a moment ago, of the system's choice. */
export function freeUdpPort(host: string): Promise<number> {
  return bindUdp(0, host)
}

/** What this process found free and listens on since, under `host:port`. */
const ours = new Set<string>()

/**
 * Looks whether a UDP port is free, or this process has it from before: the native WebRTC library keeps what it
 * listened on, for the next node of the process. The native WebRTC library names neither port
 * nor reason when it is not, and writes to standard output.
 * @throws MeshError `port-taken` (detail `port`).
 */
export async function requireFreeUdp(port: number, host: string): Promise<void> {
  const own = `${host}:${String(port)}`
  if (port === 0 || ours.has(own)) return
  try {
    await bindUdp(port, host)
    ours.add(own)
  } catch (error) {
    throw new MeshError(
      'port-taken',
      `Port ${String(port)} (UDP) that the peer needs is taken by another program. Stop it, or choose another with --port.`,
      { cause: error, detail: { port } },
    )
  }
}

async function bindUdp(port: number, address: string): Promise<number> {
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ port, address, exclusive: true }, resolve)
    })
    return socket.address().port
  } finally {
    socket.close()
  }
}
