/**
 * The helper's one TCP port: page, gateway, WebSockets of peers, plain or over TLS.
 * Promises that a connection is handed on untouched, with the address it came from,
 * that nobody holds a place by saying nothing, and that no page of another origin
 * opens the WebSocket of the peer. Knows nothing of what is served.
 */
export { openDoor, type Door, type DoorOptions, type TakeUpgrade, type TlsPair, type Visitors } from './door.ts'
export {
  callHeadOf,
  guardRules,
  NO_OTHER_CALLERS,
  rawHeader,
  refuseOutsider,
  refusePeerCaller,
  zoneOf,
  type CallHead,
  type GuardRules,
  type PeerCallers,
  type Refusal,
  type Zone,
} from './guard.ts'
export { DOOR_LIMITS } from './limits.ts'
export { isLoopbackIp } from './loopback.ts'
export { writeRefusal, type UpgradeRefusal } from './refusal.ts'
