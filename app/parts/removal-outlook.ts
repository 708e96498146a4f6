import type { DeviceView } from '../../mesh/mesh-types.ts'

/** What a removal will do, in figures. */
export interface RemovalOutlook {
  /** Generation of the mesh key that those who stay get. */
  readonly nextEpoch: number
  /** Models that stay on the removed devices, and their size together. */
  readonly models: number
  readonly modelBytes: number
  /** Devices that have to hear of it, beside this one and the removed. */
  readonly others: number
  /** True when one of them came before this device: it could undo the removal by what it wrote offline. */
  readonly isOlder: boolean
  /** Those of them that hear of it at once. */
  readonly othersNow: number
}

/** Counts what will happen when `removed` go. `all` begins with this device. */
export function removalOutlook(
  removed: readonly DeviceView[],
  all: readonly DeviceView[],
  epoch: number,
): RemovalOutlook {
  const gone = new Set(removed.map((device) => device.id))
  const others = all.slice(1).filter((device) => !gone.has(device.id))
  const models = removed.flatMap((device) => device.models).filter((model) => model.state !== 'failed')
  const own = all[0]
  return {
    isOlder: own !== undefined && removed.some((device) => device.admittedAt < own.admittedAt),
    nextEpoch: epoch + 1,
    models: models.length,
    modelBytes: models.reduce((sum, model) => sum + model.sizeBytes, 0),
    others: others.length,
    othersNow: others.filter((device) => device.state === 'online').length,
  }
}
