import type { Socket } from 'node:net'
import { isLoopbackIp } from './loopback.ts'

/** Where a connection comes from, as long as it lives: one key for the raw socket and what wraps it. */
interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** A connection of the port. */
interface Connection {
  readonly socket: Socket
  readonly address: string
  isPeer: boolean
}

/** The open connections of a port, counted by the address they come from. */
export interface Connections {
  /** Keeps count of a socket until it closes; false when its address has too many already. */
  add(socket: Socket): boolean
  /** From here on it belongs to the peer, and visits may end without it. */
  markPeer(ends: Ends): void
  /** Resolves when none but peers are connected. */
  visitsEnded(): Promise<void>
  destroyVisits(): void
  destroyAll(): void
}

const keyOf = ({ remoteAddress, remotePort }: Ends): string => `${remoteAddress ?? ''} ${String(remotePort ?? 0)}`

/** Counts connections; this machine's own are not limited by address. */
export function createConnections(perAddress: number): Connections {
  const open = new Map<string, Connection>()
  const counts = new Map<string, number>()
  const change = (address: string, by: number): void => {
    const count = (counts.get(address) ?? 0) + by
    if (count > 0) counts.set(address, count)
    else counts.delete(address)
  }
  const visits = (): Connection[] => [...open.values()].filter((one) => !one.isPeer)
  const waiting: (() => void)[] = []
  const look = (): void => {
    if (visits().length === 0) for (const done of waiting.splice(0)) done()
  }
  return {
    add(socket) {
      const address = socket.remoteAddress ?? ''
      if (!isLoopbackIp(address) && (counts.get(address) ?? 0) >= perAddress) return false
      const key = keyOf(socket)
      open.set(key, { socket, address, isPeer: false })
      change(address, 1)
      socket.once('close', () => {
        if (open.get(key)?.socket === socket) open.delete(key)
        change(address, -1)
        look()
      })
      return true
    },
    markPeer(ends) {
      const found = open.get(keyOf(ends))
      if (found !== undefined) found.isPeer = true
      look()
    },
    visitsEnded: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        look()
      }),
    destroyVisits() {
      for (const { socket } of visits()) socket.destroy()
    },
    destroyAll() {
      for (const { socket } of open.values()) socket.destroy()
    },
  }
}
