import { ENGINE_LOAD_EVERY_MS, ENGINE_LOADS_BURST, type Clock, type ModelId } from '../base/index.ts'
import type { Asker, EngineHost } from './engine.ts'

// Loading a model reads gigabytes and puts another one out. Who asks for one model after
// the other would have a load for each word, and nothing else would go on.

/** Loads of models that other people cause, each person at a pace of their own. */
export interface LoadPace {
  /** The question can begin now as far as loads go: its model is there or coming, or its person may cause another. */
  mayBegin(model: ModelId, asker: Asker): boolean
  /** It begins: the load it causes, if any, is counted. */
  begins(model: ModelId, asker: Asker): void
}

/** Counts by person; this device's own person is not counted. */
export function createLoadPace(engines: Pick<EngineHost, 'models'>, clock: Clock): LoadPace {
  /** When the last of the loads that each person may still cause will be theirs again, in ms. */
  const spentUntil = new Map<string, number>()

  const causesLoad = (model: ModelId): boolean => {
    const state = engines.models().find(({ id }) => id === model)?.state
    return state === 'available' || state === 'failed'
  }
  const payerOf = ({ person }: Asker): string => person ?? ''

  return {
    mayBegin(model, asker) {
      if (asker.isOwn || !causesLoad(model)) return true
      const until = spentUntil.get(payerOf(asker)) ?? 0
      return until - clock.monotonic() <= (ENGINE_LOADS_BURST - 1) * ENGINE_LOAD_EVERY_MS
    },
    begins(model, asker) {
      if (asker.isOwn || !causesLoad(model)) return
      const now = clock.monotonic()
      for (const [payer, until] of spentUntil) if (until <= now) spentUntil.delete(payer)
      const until = Math.max(spentUntil.get(payerOf(asker)) ?? 0, now)
      spentUntil.set(payerOf(asker), until + ENGINE_LOAD_EVERY_MS)
    },
  }
}
