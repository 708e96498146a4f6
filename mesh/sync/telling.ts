import { asMeshError, randomInt, SYNC_ENDS_PAUSE_MAX_MS, SYNC_ENDS_PAUSE_MIN_MS } from '../base/index.ts'
import { hasUntoldEnds, untoldEnds } from './may-come.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'
import type { Writer } from './writer.ts'

/**
 * Tells how far this device holds the chains of authors who may not write any more, where nobody told it:
 * up to there all devices take them from whoever has them, in whatever order they hear of it all.
 */
export interface Telling {
  /** Something may have to be told: it is soon, unless another device does it first. */
  consider(): void
  /** Tells it now. In the document's turn. @returns true when something was told */
  tell(options: Options): Promise<boolean>
}

/** Told until that signal ends it. */
export function createTelling(
  state: ReplicaState,
  writer: Pick<Writer, 'tell'>,
  { tellSoon, stopped }: { readonly tellSoon: () => Promise<void>; readonly stopped: AbortSignal },
): Telling {
  const { ports, name } = state
  let cancel: (() => void) | undefined

  const isDue = (): boolean =>
    !stopped.aborted &&
    state.place.isTaken() &&
    ports.writers.mayWrite(ports.signer.id, name.scope) &&
    hasUntoldEnds(state)

  const stop = (): void => {
    cancel?.()
    cancel = undefined
  }

  const onTime = (): void => {
    cancel = undefined
    stopped.removeEventListener('abort', stop)
    tellSoon().catch((error: unknown) => {
      // with the next key, or the next start
      ports.log.info('what this device holds of a removed one could not be told', {
        reason: asMeshError(error).message,
      })
    })
  }

  return {
    consider() {
      if (cancel !== undefined || !isDue()) return
      // by chance: of many devices that hear of a removal at once most find it told already
      const pauseMs = SYNC_ENDS_PAUSE_MIN_MS + randomInt(ports.random, SYNC_ENDS_PAUSE_MAX_MS - SYNC_ENDS_PAUSE_MIN_MS)
      cancel = ports.clock.schedule(pauseMs, onTime)
      stopped.addEventListener('abort', stop, { once: true })
    },
    async tell(options) {
      if (!isDue()) return false
      await writer.tell(untoldEnds(state), options)
      return true
    },
  }
}
