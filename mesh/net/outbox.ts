import { MeshError, type Clock } from '../base/index.ts'

/** Frames for one device, in bounded memory: one is on its way, the others wait their turn. */
export interface Outbox<Frame> {
  /** Puts a frame in. A newer one of the same kind takes the place of one that waits. */
  put(frame: Frame): void
  /** Frames that wait. */
  readonly waiting: number
}

/** How an outbox is bounded and what happens when nobody takes from it. */
export interface OutboxOptions<Frame> {
  readonly clock: Clock
  /** Sends one; resolves when the link has taken it. */
  readonly send: (frame: Frame) => Promise<unknown>
  /** What a newer frame makes needless: frames of one kind say a state, the newest of which counts. Undefined: each counts. */
  readonly kindOf: (frame: Frame) => string | undefined
  readonly sizeOf: (frame: Frame) => number
  /** Most bytes of frames that each count. One more is left out: the other side finds out from a state that it lacks it. */
  readonly maxBytes: number
  /** How long one frame may be on its way, in ms. */
  readonly stallMs: number
  /** It failed, or was not taken in time; nothing is sent any more. */
  readonly onFailure: (reason: unknown) => void
}

/** Empty. */
export function createOutbox<Frame>(options: OutboxOptions<Frame>): Outbox<Frame> {
  const { clock, send, kindOf, sizeOf, maxBytes, stallMs, onFailure } = options
  const waiting: { readonly frame: Frame; readonly kind: string | undefined; readonly sizeBytes: number }[] = []
  let bytes = 0
  let isSending = false
  let isOver = false

  const fail = (reason: unknown): void => {
    if (isOver) return
    isOver = true
    waiting.length = 0
    onFailure(reason)
  }

  const sendAll = async (): Promise<void> => {
    isSending = true
    for (let next = waiting.shift(); next !== undefined && !isOver; next = waiting.shift()) {
      bytes -= next.sizeBytes
      const cancel = clock.schedule(stallMs, () => {
        fail(new MeshError('timeout', `The device took nothing for ${String(stallMs / 1000)} s.`))
      })
      try {
        await send(next.frame)
      } finally {
        cancel()
      }
    }
    isSending = false
  }

  return {
    get waiting() {
      return waiting.length
    },
    put(frame) {
      if (isOver) return
      const kind = kindOf(frame)
      const sizeBytes = kind === undefined ? sizeOf(frame) : 0
      if (bytes + sizeBytes > maxBytes) return
      if (kind !== undefined) {
        const before = waiting.findIndex((one) => one.kind === kind)
        // to the end: what came meanwhile belongs before the newer state
        if (before >= 0) waiting.splice(before, 1)
      }
      bytes += sizeBytes
      waiting.push({ frame, kind, sizeBytes })
      if (!isSending) sendAll().catch(fail)
    },
  }
}
