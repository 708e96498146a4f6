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
export {
  asId,
  ID_MAX_LENGTH,
  type ChatId,
  type DeviceId,
  type InvitationId,
  type MessageId,
  type ModelId,
  type RequestId,
} from './ids.ts'
export { silentLogger, type LogFields, type Logger } from './log.ts'
export { createQueue, type AsyncQueue } from './queue.ts'
export { randomInt, sortableId, type Random } from './random.ts'
export { type LogEntry, type Store, type StoreOptions } from './store.ts'
export {
  ADDRESSES_MAX,
  DIAL_STAGGER_MS,
  DIAL_TIMEOUT_MS,
  DIRECT_RETRY_MS,
  FIRST_FRAME_TIMEOUT_MS,
  FRAME_MAX_BYTES,
  HEARTBEAT_MS,
  INFER_CREDIT_FRAMES,
  INFER_GRANT_FRAMES,
  INFER_STALL_MS,
  INFER_STREAMS_MAX,
  INFER_TEXT_MAX_LENGTH,
  MODELS_MAX,
  PENDING_JOIN_MS,
  PENDING_JOINS_MAX,
  PROMPT_MAX_LENGTH,
  PROMPT_MAX_MESSAGES,
  REDIAL_FIRST_MS,
  REDIAL_MAX_MS,
  REDIAL_UNSEEN_MAX_MS,
  RELAY_HEAD_START_MS,
  SECOND_ATTEMPT_MS,
  SILENT_MS,
  STRANGER_CONNECTION_MS,
  STRANGER_FRAME_MAX_BYTES,
  WAKE_PROBE_MS,
} from './limits.ts'
