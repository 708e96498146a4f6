import type { Duplex } from 'node:stream'
import type { Clock } from '../../mesh/base/index.ts'
import type { Refusal } from './guard.ts'
import { DOOR_LIMITS } from './limits.ts'

/** Why a WebSocket is not opened. */
export type UpgradeRefusal = Omit<Refusal, 'status'> & { readonly status: Refusal['status'] | 404 | 503 }

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
}

/** Answers an upgrade with a status instead, before any WebSocket is there, and ends the connection. */
export function writeRefusal(socket: Duplex, refusal: UpgradeRefusal, clock: Clock): void {
  const type = refusal.status === 503 ? 'server_error' : 'invalid_request_error'
  const body = JSON.stringify({ error: { message: refusal.message, type, param: null, code: refusal.code } })
  socket.end(
    [
      `HTTP/1.1 ${String(refusal.status)} ${STATUS_TEXT[refusal.status] ?? ''}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${String(Buffer.byteLength(body))}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
  endSoon(socket, clock)
}

/** Cuts a connection that was told why it is refused: who does not end its own side would keep the place for ever. */
export function endSoon(socket: Duplex, clock: Clock): void {
  if (socket.destroyed) return
  const cancel = clock.schedule(DOOR_LIMITS.refusedMs, () => {
    socket.destroy()
  })
  socket.once('close', cancel)
}
