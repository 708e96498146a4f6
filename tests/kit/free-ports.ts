import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/** How far above the first port of a helper its last one is. */
const SPAN = 4

/** The first of ports in a row that are free now, for a helper that is started again at the same ones. */
export async function freePorts(): Promise<number> {
  for (;;) {
    const port = await freePort(0)
    if (port === undefined || port + SPAN > 65_000) continue
    const all = await Promise.all([1, 2, 3, SPAN].map((above) => freePort(port + above)))
    if (all.every((one) => one !== undefined)) return port
  }
}

function freePort(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(undefined)
    })
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
