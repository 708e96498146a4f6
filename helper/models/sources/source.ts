import type { Clock, Logger } from '../../../mesh/base/index.ts'
import type { PartFile } from '../part-file.ts'
import type { SourceSpec } from '../offer.ts'

/** What is known of a file before its bytes come. */
export interface Expected {
  readonly sizeBytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** What a source is given to work with. */
export interface SourceContext {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** A folder of this download alone, inside the data directory; emptied afterwards. */
  readonly workFolder: string
  /** What the catalogue knows of the file. */
  readonly known: Expected | undefined
  /** Opens the part for this file; bytes of an earlier try may be in it already. */
  openPart(key: string, sizeBytes: number): Promise<PartFile>
  /** To be called as bytes arrive; cheap. */
  onProgress(receivedBytes: number, totalBytes: number): void
}

/** A part with everything in it, still open, and what it must hash to. */
export interface Received {
  readonly part: PartFile
  readonly expected: Expected
}

/** One kind of place models come from. */
export interface ModelSource<Spec extends SourceSpec> {
  /** True when it leaves this machine: `--offline` forbids those. */
  readonly network: boolean
  /** The name people see beside the progress bar. */
  label(spec: Spec): string
  /**
   * Brings the file into the part. The caller checks hash and header.
   * @throws MeshError `no-source` when this source cannot be used here, `integrity` when it
   * gave something else, `offline`, `timeout`, `storage-full`, `storage-failed`, `aborted`.
   */
  fetch(spec: Spec, context: SourceContext): Promise<Received>
}
