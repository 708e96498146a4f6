import type { DeviceId } from '../base/index.ts'

/** An entry of a chat's document: an operation under its own id, and who is proven to have written it there. */
export interface ChatEntry {
  readonly id: string
  readonly bytes: Uint8Array
  readonly author: DeviceId
  /** Of several under one id the smallest is right: when it was told that it is there; Infinity: it was not, or need not be. */
  rank?(): number
  /** False once its author may not write any more: it may have come only now. */
  mayWrite?(): boolean
  /** Whether it was there when its author might write; see `Document.timingOf`. */
  timing?(): 'before' | 'told' | 'late'
}
