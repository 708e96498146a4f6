/**
 * What everything stands on: errors, ids, and the ports for time, chance, memory
 * and logs. Promises nothing about networks or people, and imports nothing.
 */
export { abortReason, deadline, sleep, throwIfAborted, type Clock } from './clock.ts'
export {
  asMeshError,
  ERROR_CODES,
  errorFromWire,
  errorToWire,
  isAbort,
  isMeshError,
  MeshError,
  messageOf,
  WIRE_MESSAGE_MAX,
  type ErrorCode,
  type ErrorDetail,
  type Fault,
  type MeshErrorOptions,
  type WireError,
} from './errors.ts'
export { createEvents, type EventHub, type EventSource } from './events.ts'
export { asId, ID_MAX_LENGTH, type ChatId, type DeviceId, type InvitationId, type MessageId, type ModelId, type RequestId } from './ids.ts'
export { silentLogger, type LogFields, type Logger } from './log.ts'
export { createQueue, type AsyncQueue } from './queue.ts'
export { randomInt, sortableId, type Random } from './random.ts'
export { type LogEntry, type Store, type StoreOptions } from './store.ts'
