import { createServer, type AddressInfo } from 'node:net'

/** A TCP port that counts who connects to it, as a service beside the mesh would see it. */
export interface DialTrap {
  readonly port: number
  /** As the addresses of the mesh name it. */
  readonly address: string
  readonly connections: number
  /** When each came, in ms. */
  readonly times: readonly number[]
  stop(): Promise<void>
}

/** Listens on a free port of loopback. It speaks to nobody and closes at once. */
export async function startDialTrap(): Promise<DialTrap> {
  const times: number[] = []
  const server = createServer((socket) => {
    times.push(performance.now())
    socket.on('error', () => undefined)
    socket.destroy()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `/ip4/127.0.0.1/tcp/${String(port)}`,
    get connections() {
      return times.length
    },
    times,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
      }),
  }
}
