import {
  MeshError,
  SYNC_DECODE_AGAIN_MAX_MS,
  SYNC_DECODE_AGAIN_MS,
  SYNC_DECODE_SLOW_ALL_MAX,
  SYNC_DECODE_SLOW_MAX,
  type Clock,
  type DeviceId,
} from '../base/index.ts'
import type { Writers } from './ports.ts'

/**
 * What killed the decoder while a document is open. What does so need not break a rule, as the machine may be out
 * of breath. It holds up its chain; and as each costs a second, after a few nothing further of that person is read
 * for a while: {@link SYNC_DECODE_AGAIN_MS}, and each time twice as long, or until the document is opened again.
 * After {@link SYNC_DECODE_SLOW_ALL_MAX} of all together that holds for everybody of whom anything ever was slow,
 * and nobody else waits for them. Which devices these were is remembered: they are read last.
 */
export interface SlowReading {
  /** Aborts once nothing further of an author's chain is to be read. */
  signalOf(chain: number, author: DeviceId): AbortSignal
  /** An envelope of that chain killed the decoder. */
  note(chain: number, author: DeviceId): void
  /** True of a chain of which nothing is to be read before what was slow is tried again. */
  holds(chain: number, author: DeviceId): boolean
  /** Authors of whom something ever was slow here. */
  suspects(): ReadonlySet<DeviceId>
  /** The document was opened or closed: what was slow may be tried, and nothing is to be tried by itself. */
  forget(): void
}

/** Nothing was slow yet. `again` is called when what was slow may be tried once more, unless `stopped` came first. */
export function createSlowReading(
  { clock, writers }: { readonly clock: Clock; readonly writers: Pick<Writers, 'personOf'> },
  stopped: AbortSignal,
  again: () => void,
): SlowReading {
  /** Since it was last forgotten. */
  let count = 0
  const byPerson = new Map<string, number>()
  const heldUp = new Set<number>()
  const overs = new Map<number, { readonly author: DeviceId; readonly over: AbortController }>()
  const suspects = new Set<DeviceId>()
  const suspectPeople = new Set<string>()
  let pauseMs = SYNC_DECODE_AGAIN_MS
  let cancel: (() => void) | undefined

  const personOf = (author: DeviceId): string => writers.personOf?.(author) ?? author
  const holds = (chain: number, author: DeviceId): boolean => {
    const person = personOf(author)
    const isTooMuch = count >= SYNC_DECODE_SLOW_ALL_MAX && suspectPeople.has(person)
    return isTooMuch || heldUp.has(chain) || (byPerson.get(person) ?? 0) >= SYNC_DECODE_SLOW_MAX
  }
  const forgetAll = (): void => {
    cancel?.()
    cancel = undefined
    count = 0
    byPerson.clear()
    heldUp.clear()
    overs.clear()
  }
  const later = (): (() => void) => {
    const stop = clock.schedule(pauseMs, () => {
      pauseMs = Math.min(pauseMs * 2, SYNC_DECODE_AGAIN_MAX_MS)
      forgetAll()
      again()
    })
    stopped.addEventListener('abort', stop, { once: true })
    return () => {
      stop()
      stopped.removeEventListener('abort', stop)
    }
  }

  return {
    holds,
    signalOf(chain, author) {
      const { over } = overs.get(chain) ?? { over: new AbortController() }
      overs.set(chain, { author, over })
      return over.signal
    },
    note(chain, author) {
      const person = personOf(author)
      count += 1
      byPerson.set(person, (byPerson.get(person) ?? 0) + 1)
      heldUp.add(chain)
      // with each that becomes known less is before what was never slow
      if (!suspects.has(author)) pauseMs = SYNC_DECODE_AGAIN_MS
      suspects.add(author)
      suspectPeople.add(person)
      // what waits for the decoder, or is in it
      for (const [number, one] of overs) if (holds(number, one.author)) one.over.abort(tooSlow())
      if (!stopped.aborted) cancel ??= later()
    },
    suspects: () => new Set(suspects),
    forget() {
      forgetAll()
      pauseMs = SYNC_DECODE_AGAIN_MS
    },
  }
}

function tooSlow(): MeshError {
  return new MeshError('timeout', 'What was written there takes too long to be read here.')
}
