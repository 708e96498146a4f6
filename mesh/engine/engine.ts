import type { EventSource, ModelId, PersonId } from '../base/index.ts'

/** Who says a message of the prompt. */
export type ChatRole = 'system' | 'user' | 'assistant'

/** One message of a prompt. */
export interface ChatMessage {
  readonly role: ChatRole
  readonly content: string
}

/** How tokens are picked. Absent means the engine's default; ranges are OpenAI's. */
export interface Sampling {
  /** 0 to 2; 0 is greedy. */
  readonly temperature?: number | undefined
  /** Above 0, up to 1. */
  readonly topP?: number | undefined
  /** A whole number; the same seed, model and device give the same text. */
  readonly seed?: number | undefined
  /** At least 1; absent: until the model ends or the context is full. */
  readonly maxTokens?: number | undefined
  /** -2 to 2. */
  readonly presencePenalty?: number | undefined
  /** -2 to 2. */
  readonly frequencyPenalty?: number | undefined
  /** Up to 4 strings; the text ends before the first one met, also across tokens. */
  readonly stop?: readonly string[] | undefined
}

/** What an engine is asked. */
export interface GenerateRequest {
  readonly model: ModelId
  readonly messages: readonly ChatMessage[]
  readonly sampling: Sampling
}

/** Why an answer ended by itself. A cancel is not an end: it throws `aborted`. */
export type FinishReason = 'stop' | 'length'

/** Token counts as the engine's own tokenizer sees them. */
export interface Usage {
  readonly promptTokens: number
  /** Of those, how many were still in the cache from before. */
  readonly cachedTokens: number
  readonly completionTokens: number
}

/** Measured in the engine, in ms. */
export interface Timings {
  /** Waiting for a free sequence. */
  readonly queueMs: number
  /** Reading the prompt. */
  readonly prefillMs: number
  /** From the request's arrival to its first token. */
  readonly firstTokenMs: number
  /** From the first token to the last. */
  readonly decodeMs: number
}

/** What an engine tells while it works, in this order: phases, texts, one end. */
export type GenerateEvent =
  | { readonly type: 'queued'; /** How many requests are before this one. */ readonly ahead: number }
  | { readonly type: 'loading'; /** 0 to 1 */ readonly fraction: number }
  | { readonly type: 'reading'; readonly doneTokens: number; readonly totalTokens: number }
  | { readonly type: 'text'; readonly text: string; readonly tokenCount: number }
  | { readonly type: 'end'; readonly finish: FinishReason; readonly usage: Usage; readonly timings: Timings }

/** Where a model is on its way to being usable on this device. */
export type ModelState = 'downloading' | 'available' | 'loading' | 'ready' | 'failed'

/** Progress of a model that is still on its way. */
export interface ModelProgress {
  readonly receivedBytes: number
  readonly totalBytes: number
  readonly rateBytesPerSecond: number
  /** Name of the source: a file, a package, a hub, a device. */
  readonly source: string
}

/** Speeds measured on this device with this model. */
export interface ModelSpeed {
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  /** ms since 1970 */
  readonly measuredAt: number
}

/** A model as one device has it. */
export interface ModelRecord {
  readonly id: ModelId
  readonly sizeBytes: number
  /** Lower-case hex of the whole file; empty while it is not known. */
  readonly sha256: string
  readonly contextTokens: number
  readonly state: ModelState
  /** ms since 1970, when it came to this device. */
  readonly addedAt: number
  readonly progress?: ModelProgress | undefined
  readonly speed?: ModelSpeed | undefined
  /** For `failed`: a sentence. */
  readonly reason?: string | undefined
}

/** How busy the engine of a device is. */
export interface EngineLoad {
  /** Requests it can work on at once. 0: no engine here. */
  readonly slots: number
  readonly busy: number
  readonly queued: number
}

/** For whom an answer is made. */
export interface Asker {
  readonly person: PersonId | undefined
  /** A device of the person whose device this is. */
  readonly isOwn: boolean
  /** May answer others in return; a guest may not. */
  readonly serves?: boolean
}

/** Who asks on the device itself. */
export const ITSELF: Asker = { person: undefined, isOwn: true }

/** How far somebody's rights on this device go; what is done for the one gives way to the other. */
export function standingOf({ isOwn, serves = false }: Asker): number {
  return isOwn ? 2 : serves ? 1 : 0
}

/**
 * The engines of one device, seen from the mesh: which models they have and how
 * to ask one. Loading, unloading and picking an engine happen behind it.
 */
export interface EngineHost {
  /** First is the one used when nobody chose. */
  models(): readonly ModelRecord[]
  load(): EngineLoad
  /** Something in `models()` or `load()` changed. */
  readonly changes: EventSource<void>
  /**
   * Answers a request. The signal stops the engine within 200 ms, also while the
   * prompt is read; leaving the loop early does the same.
   * @throws MeshError `model-unknown`, `model-unavailable` (still on its way), `engine-context` (detail `maxTokens`, `gotTokens`),
   * `engine-load`, `engine-memory`, `engine-lost`, `engine-failed`, `busy`, `aborted`.
   */
  generate(
    request: GenerateRequest,
    options: { readonly signal: AbortSignal; /** Default: this device's person. */ readonly asker?: Asker },
  ): AsyncIterable<GenerateEvent>
}
