import { ENGINE_KEPT_LOADED_MS, ENGINE_KEPT_MS, type Clock } from '../../../mesh/base/index.ts'
import { standingOf, type Asker } from '../../../mesh/engine/index.ts'

/** For whom which model was loaded and used, and so who may have it put out for another. */
export interface Residence {
  /** Somebody was answered by a model just now. */
  used(model: string, by: Asker): void
  /** A model was loaded just now. */
  loaded(model: string, by: Asker): void
  /** For whom it was loaded. */
  loadedFor(model: string): Asker | undefined
  /**
   * Of models that could leave, the one that makes room for somebody: used longest ago, and for
   * {@link ENGINE_KEPT_MS} by nobody with more rights here; loaded for another of the same rights
   * {@link ENGINE_KEPT_LOADED_MS} ago at least, however it was used since: nobody keeps one for good.
   */
  leaves(models: readonly string[], wanted: Asker): string | undefined
}

interface Stay {
  /** By standing: when it was used last. */
  readonly usedAt: Map<number, number>
  loadedAt: number
  loadedFor: Asker | undefined
}

/** Remembers it while the host lives, also of models that left. */
export function createResidence(clock: Clock): Residence {
  const stays = new Map<string, Stay>()
  const stayOf = (model: string): Stay => {
    const stay = stays.get(model) ?? { usedAt: new Map<number, number>(), loadedAt: 0, loadedFor: undefined }
    stays.set(model, stay)
    return stay
  }
  const lastUse = (model: string): number => Math.max(0, ...stayOf(model).usedAt.values())

  const isKept = (model: string, wanted: Asker): boolean => {
    const now = clock.monotonic()
    const { usedAt, loadedAt, loadedFor } = stayOf(model)
    const standing = standingOf(wanted)
    for (const [other, at] of usedAt) if (other > standing && now - at < ENGINE_KEPT_MS) return true
    if (wanted.isOwn || loadedFor === undefined) return false
    const isOfAnother = standingOf(loadedFor) === standing && loadedFor.person !== wanted.person
    return isOfAnother && now - loadedAt < ENGINE_KEPT_LOADED_MS
  }

  return {
    used(model, by) {
      stayOf(model).usedAt.set(standingOf(by), clock.monotonic())
    },
    loaded(model, by) {
      const stay = stayOf(model)
      stay.loadedAt = clock.monotonic()
      stay.loadedFor = by
      stay.usedAt.set(standingOf(by), stay.loadedAt)
    },
    loadedFor: (model) => stays.get(model)?.loadedFor,
    leaves: (models, wanted) =>
      models.filter((model) => !isKept(model, wanted)).sort((a, b) => lastUse(a) - lastUse(b))[0],
  }
}
