import type { Socket } from 'node:net'
import { isLoopbackIp } from './loopback.ts'

/** Where a connection comes from, as long as it lives: one key for the raw socket and what wraps it. */
interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
}

/** A connection of the port. */
interface Connection extends Ends {
  readonly socket: Socket
  readonly address: string
  readonly isLocal: boolean
  isPeer: boolean
  /** When something was last seen to come or go on it: at which look, and how much it was by then. */
  look: number
  bytes: number
}

/** The open connections of a port, counted by the address they come from. */
export interface Connections {
  /**
   * Keeps count of a socket until it closes; false when its address has too many already. Where all
   * places are taken, the visit on which nothing went on for longest gives way: one of the network
   * before one of this machine, and never one of this machine to one of the network.
   */
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
export function createConnections(limits: { readonly most: number; readonly perAddress: number }): Connections {
  const open = new Map<string, Connection>()
  let looks = 0
  const counts = new Map<string, number>()
  const change = (address: string, by: number): void => {
    const count = (counts.get(address) ?? 0) + by
    if (count > 0) counts.set(address, count)
    else counts.delete(address)
  }
  const visits = (): Connection[] => [...open.values()].filter((one) => !one.isPeer)
  /** Who holds a place without using it must not keep out who comes. @returns whether there is a place now */
  const makePlace = (isLocal: boolean): boolean => {
    if (open.size < limits.most) return true
    looks += 1
    for (const one of open.values()) {
      const bytes = one.socket.bytesRead + one.socket.bytesWritten
      if (bytes !== one.bytes) Object.assign(one, { look: looks, bytes })
    }
    const may = visits().filter((one) => isLocal || !one.isLocal)
    may.sort((a, b) => Number(a.isLocal) - Number(b.isLocal) || a.look - b.look)
    const [silent] = may
    if (silent === undefined) return false
    silent.socket.destroy()
    forget(silent)
    return true
  }
  const forget = (one: Connection): void => {
    const key = keyOf(one)
    if (open.get(key) !== one) return
    open.delete(key)
    change(one.address, -1)
    look()
  }
  const waiting: (() => void)[] = []
  const look = (): void => {
    if (visits().length === 0) for (const done of waiting.splice(0)) done()
  }
  return {
    add(socket) {
      const address = socket.remoteAddress ?? ''
      const isLocal = isLoopbackIp(address)
      if (!isLocal && (counts.get(address) ?? 0) >= limits.perAddress) return false
      if (!makePlace(isLocal)) return false
      const { remoteAddress, remotePort } = socket
      const one: Connection = {
        ...{ socket, address, isLocal, remoteAddress, remotePort },
        ...{ isPeer: false, look: looks, bytes: 0 },
      }
      open.set(keyOf(one), one)
      change(address, 1)
      socket.once('close', () => {
        forget(one)
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
