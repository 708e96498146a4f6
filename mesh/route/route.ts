import type { DeviceId, ErrorCode, ModelId } from '../base/index.ts'
import type { ChatMessage, FinishReason, Sampling, Timings, Usage } from '../engine/index.ts'

/** How a device is reached right now. */
export type Path = 'self' | 'direct' | 'relayed' | 'none'

/** The parts a candidate's prediction is made of; all times in ms. */
export interface RouteScore {
  readonly rttMs: number
  readonly queueMs: number
  readonly loadMs: number
  readonly prefillMs: number
  readonly decodeTokensPerSecond: number
  /** The sum that decides: rtt + queue + load + prefill. */
  readonly firstTokenMs: number
}

/** One device that was looked at for a request. */
export interface RouteCandidate {
  readonly device: DeviceId
  readonly deviceName: string
  readonly model: ModelId | undefined
  readonly verdict: 'chosen' | 'possible' | 'refused'
  readonly score?: RouteScore | undefined
  /** For `refused`: which rule. */
  readonly refusal?: RouteRefusal | undefined
}

/** Why a device was not a candidate. */
export type RouteRefusal =
  | 'not-asked-for'
  | 'not-in-room'
  | Forbidden
  | 'no-model'
  | 'no-engine'
  | 'model-missing'
  | 'model-not-ready'
  | 'unreachable'

/** A right that lacks: of this device to ask that one, or of that one to answer it. */
export type Forbidden = 'may-not-ask' | 'may-not-answer'

/** Why the chosen one was chosen. */
export type RouteReason = 'only-one' | 'fastest-first-word' | 'asked-for'

/** The decision which device answers, with everything it was made from. */
export interface Route {
  readonly device: DeviceId
  readonly deviceName: string
  readonly model: ModelId
  readonly path: Path
  readonly reason: RouteReason
  /** ms since 1970 */
  readonly decidedAt: number
  readonly candidates: readonly RouteCandidate[]
}

/** A question to the mesh. */
export interface AskRequest {
  readonly messages: readonly ChatMessage[]
  /** Absent: the best one that is ready. */
  readonly model?: ModelId | undefined
  /** Absent: any device. */
  readonly device?: DeviceId | undefined
  /** Only these devices may read the question; absent: all of the mesh. */
  readonly among?: readonly DeviceId[] | undefined
  /** A program asks through the gateway of this device; absent: its person does. */
  readonly through?: 'gateway' | undefined
  readonly sampling: Sampling
}

/** What a wait is for. */
export type AskPhase = 'connecting' | 'queued' | 'loading' | 'reading'

/** What the asker hears, in this order: one route, phases, texts, one end. Failures are thrown. */
export type AskEvent =
  | { readonly type: 'route'; readonly route: Route }
  | {
      readonly type: 'phase'
      readonly phase: AskPhase
      /** For `queued`: how many are before this one. */
      readonly ahead?: number | undefined
      /** For `loading` and `reading`: 0 to 1. */
      readonly fraction?: number | undefined
    }
  | { readonly type: 'text'; readonly text: string; readonly tokenCount: number }
  | {
      readonly type: 'end'
      readonly finish: FinishReason
      readonly usage: Usage
      readonly timings: Timings
      readonly bytesSent: number
    }

/** Codes with which an ask may fail, beside those of the engine. */
export const ASK_ERROR_CODES: readonly ErrorCode[] = [
  'device-unknown',
  'model-unknown',
  'model-unavailable',
  'offline',
  'peer-gone',
  'unauthorized',
  'removed',
]
