import type { Clock, Logger } from '../../mesh/base/index.ts'
import type { EngineHost } from '../../mesh/engine/index.ts'
import type { ModelLibrary } from '../models/index.ts'

/** What a helper gives every engine it can run. */
export interface EnginePorts {
  readonly library: ModelLibrary
  readonly clock: Clock
  readonly log: Logger
  /** Threads of the engine: physical cores less one, at least one. More than are free is far slower than too few. */
  readonly threads: number
  /** The built engine process: a path, or a file URL. */
  readonly workerFile: URL | string
  /** False: the processor only. Default true. */
  readonly gpu?: boolean | undefined
}

/** Options of calls that can be stopped. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** An engine host with its life in the helper's hands. */
export interface HelperEngineHost extends EngineHost {
  /**
   * Loads the first model, if there is one, and from then on keeps it loaded.
   * @throws MeshError `engine-load`, `engine-memory`, `engine-lost`, `model-invalid`, `integrity`, `aborted`; the host works on all the same.
   */
  start(options?: Cancellable): Promise<void>
  /** Loads one model now. @throws as `start`, and `model-unknown`. */
  prepare(id: string, options?: Cancellable): Promise<void>
  /** Ends every engine and frees their memory. */
  stop(options?: Cancellable): Promise<void>
}

/** A kind of engine: one descriptor in its own folder and one line in `registry.ts`. */
export interface EngineKind {
  /** Its name in logs. */
  readonly id: string
  create(ports: EnginePorts): HelperEngineHost
}
