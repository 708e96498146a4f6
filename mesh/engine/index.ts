/**
 * The contract between the mesh and whatever generates: what a request is, what
 * an engine tells, what a device says of its models. Knows no engine by name.
 */
export {
  ITSELF,
  standingOf,
  type Asker,
  type ChatMessage,
  type ChatRole,
  type EngineHost,
  type EngineLoad,
  type FinishReason,
  type GenerateEvent,
  type GenerateRequest,
  type ModelProgress,
  type ModelRecord,
  type ModelSpeed,
  type ModelState,
  type Sampling,
  type Timings,
  type Usage,
} from './engine.ts'
export { createTurns } from './turns.ts'
