import type { IncomingMessage, ServerResponse } from 'node:http'
import { DOOR_LIMITS } from './limits.ts'

/** Answers a request. */
export type Answer = (incoming: IncomingMessage, outgoing: ServerResponse) => void

/**
 * One request of a connection after another. Node hands on all requests that lie in one
 * packet at once: a few kilobytes would call up a gigabyte of answers that nobody reads
 * (RFC 9112, 9.3.2 leaves the pace of pipelined requests to the server; no browser sends any).
 */
export function oneAtATime(answer: Answer): Answer {
  const waiting = new WeakMap<object, (() => void)[]>()
  const begin = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    outgoing.once('close', () => {
      const next = waiting.get(incoming.socket)?.shift()
      if (next === undefined) waiting.delete(incoming.socket)
      else next()
    })
    answer(incoming, outgoing)
  }
  return (incoming, outgoing) => {
    const { socket } = incoming
    const line = waiting.get(socket)
    if (line === undefined) {
      waiting.set(socket, [])
      begin(incoming, outgoing)
    } else if (line.length >= DOOR_LIMITS.requestsWaiting) socket.destroy()
    else
      line.push(() => {
        if (!socket.destroyed) begin(incoming, outgoing)
      })
  }
}
