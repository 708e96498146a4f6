/**
 * The helper's one TCP port: page, gateway, WebSockets of peers, plain or over TLS.
 * Promises that a connection is handed on untouched, with the address it came from,
 * and that nobody holds a place by saying nothing. Knows nothing of what is served.
 */
export { openDoor, type Door, type DoorOptions, type TakeUpgrade, type TlsPair, type Visitors } from './door.ts'
export { DOOR_LIMITS } from './limits.ts'
export { isLoopbackIp } from './loopback.ts'
