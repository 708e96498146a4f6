import type { LlamaContextSequence } from 'node-llama-cpp'
import { abortReason, MeshError, throwIfAborted } from '../../../mesh/base/index.ts'

/** Requests that may wait for a sequence; one more is told that the engine is busy. */
export const QUEUE_LIMIT = 32

/** A shorter common beginning is not worth losing another cache for: every template begins alike. */
const WORTHWHILE_PREFIX_TOKENS = 24

/** One sequence of the context: a conversation's place in the cache. */
export interface Slot {
  readonly sequence: LlamaContextSequence
  /** Rises with every use; the smallest was idle longest. */
  lastUse: number
}

interface Waiting {
  readonly tokens: readonly number[]
  readonly onAhead: (ahead: number) => void
  readonly take: (slot: Slot) => void
}

/** Lends sequences to requests, first come, first served. */
export interface SequencePool {
  /**
   * The free sequence that already holds most of the prompt, or the next one to become free.
   * @throws MeshError `busy` when too many wait, `aborted`.
   */
  acquire(tokens: readonly number[], options: { signal: AbortSignal; onAhead: (ahead: number) => void }): Promise<Slot>
  release(slot: Slot): void
}

/** A pool over the sequences of one context, all created beforehand. */
export function createSequencePool(sequences: readonly LlamaContextSequence[]): SequencePool {
  const free = new Set<Slot>(sequences.map((sequence) => ({ sequence, lastUse: 0 })))
  const queue: Waiting[] = []
  let uses = 0

  const lend = (slot: Slot): Slot => {
    free.delete(slot)
    slot.lastUse = ++uses
    return slot
  }
  const tellAhead = (): void => {
    queue.forEach((waiting, index) => {
      waiting.onAhead(index)
    })
  }

  return {
    acquire(tokens, { signal, onAhead }) {
      throwIfAborted(signal)
      const best = pickSlot([...free], tokens)
      if (best !== undefined) return Promise.resolve(lend(best))
      if (queue.length >= QUEUE_LIMIT) {
        return Promise.reject(
          new MeshError('busy', 'This device has too many questions waiting; try again in a moment.'),
        )
      }
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          queue.splice(queue.indexOf(waiting), 1)
          tellAhead()
          reject(abortReason(signal))
        }
        const waiting: Waiting = {
          tokens,
          onAhead,
          take(slot) {
            signal.removeEventListener('abort', onAbort)
            resolve(slot)
          },
        }
        signal.addEventListener('abort', onAbort, { once: true })
        queue.push(waiting)
        onAhead(queue.length - 1)
      })
    },
    release(slot) {
      free.add(slot)
      const next = queue.shift()
      if (next === undefined) return
      const best = pickSlot([...free], next.tokens) ?? slot
      next.take(lend(best))
      tellAhead()
    },
  }
}

/** The longest common beginning wins; without a worthwhile one an empty sequence, then the one idle longest. */
function pickSlot(slots: readonly Slot[], tokens: readonly number[]): Slot | undefined {
  const ranked = slots.map((slot) => {
    const common = slot.sequence.compareContextTokens([...tokens] as never[]).firstDifferentIndex
    return { slot, common: common >= WORTHWHILE_PREFIX_TOKENS ? common : 0, held: slot.sequence.nextTokenIndex }
  })
  ranked.sort(
    (a, b) => b.common - a.common || Number(a.held > 0) - Number(b.held > 0) || a.slot.lastUse - b.slot.lastUse,
  )
  return ranked[0]?.slot
}
