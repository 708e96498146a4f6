import type { DeviceId, EventHub } from '../base/index.ts'
import type { Budgets } from './budgets.ts'
import type { Chains } from './chains.ts'
import type { Content, EnvelopeContent } from './content.ts'
import type { DeclinedChains } from './declined.ts'
import type { DocumentChange, DocumentName } from './document.ts'
import type { DocumentLog } from './document-log.ts'
import type { Envelope } from './envelope.ts'
import type { Stranded } from './heads.ts'
import type { KindDescriptor } from './kinds.ts'
import type { LateComings } from './late.ts'
import type { LogGrowth } from './log-growth.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'
import type { Quarantines } from './quarantines.ts'
import type { SlowReading } from './slow-reading.ts'
import type { Waiting } from './waiting.ts'

/** A document's place among those this device keeps: taken by its first envelope. */
export interface Place {
  isTaken(): boolean
  isOpenTo(author: DeviceId): boolean
  /** @throws MeshError `too-large`, or of the store */
  take(author: DeviceId, options: Options): Promise<void>
}

/** What the parts of one document's replica share. Changed only in the document's turn. */
export interface ReplicaState {
  readonly name: DocumentName
  readonly key: string
  readonly kind: KindDescriptor
  readonly ports: SyncPorts
  readonly quarantines: Quarantines
  readonly log: DocumentLog
  readonly place: Place
  readonly budgets: Budgets
  /** Another object after entries of the log were found damaged. */
  chains: Chains
  /** What is whole in the log behind what is damaged. */
  stranded: readonly Stranded[]
  /** Entries of the log that are damaged and may be missing here. */
  damaged: number
  /** Told when some were found. */
  readonly onDamaged: () => void
  readonly waiting: Waiting
  readonly late: LateComings
  readonly declined: DeclinedChains
  readonly changes: EventHub<DocumentChange>
  /** While somebody has the document open. */
  content: Content | undefined
  /** What is slow is tried anew at each opening. */
  readonly slow: SlowReading
  /** Last place in the log that is accounted for. */
  lastPosition: number
  /** Size of the last snapshot of the content, and of that of the heads. */
  snapshotBytes: number
  indexBytes: number
  /** When the last snapshot was made, by the monotonic clock. */
  snapshotAt: number
  /** When the log was last written anew, by the monotonic clock. */
  rewrittenAt: number
  /** Added to the log since the last snapshot. */
  grown: LogGrowth
  /** Added to the log since it was last written anew without what was erased. */
  unforgotten: LogGrowth
}

/** An envelope taken in, not durable yet. */
export interface Staged {
  readonly envelope: Envelope
  /** What is in it, when that is known and looked at. */
  readonly entries: EnvelopeContent | undefined
  readonly via: DeviceId
  /** See `Chain.lateFrom`. */
  readonly isLate?: boolean
  readonly undo: () => void
}
