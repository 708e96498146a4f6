import type { ModelId } from '../../mesh/base/index.ts'
import type { ModelRecord } from '../../mesh/engine/index.ts'
import type { DeviceView } from '../../mesh/mesh-types.ts'
import type { WaitsFor } from './app-peer.ts'

/** Whether some device can answer now; if not, what has to come first. */
export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly waitsFor: WaitsFor; readonly fraction?: number | undefined }

/** Reads from the devices whether a question (for one model, or any) can be asked now. Pure. */
export function readinessOf(devices: readonly DeviceView[], model: ModelId | undefined): Readiness {
  const reachable = devices.filter((device) => device.state === 'online' || device.path === 'self')
  const records = reachable
    .flatMap((device) => device.models)
    .filter((record) => model === undefined || record.id === model)
  if (records.some(canAnswer)) return { ready: true }
  const coming = records.find((record) => record.state === 'downloading')
  if (coming !== undefined) return { ready: false, waitsFor: 'model', fraction: fractionOf(coming) }
  return { ready: false, waitsFor: reachable.some(hasEngine) ? 'model' : 'device' }
}

function canAnswer(record: ModelRecord): boolean {
  return record.state === 'available' || record.state === 'loading' || record.state === 'ready'
}

function hasEngine(device: DeviceView): boolean {
  return device.load.slots > 0
}

function fractionOf(record: ModelRecord): number | undefined {
  const { progress } = record
  if (progress === undefined || progress.totalBytes <= 0) return undefined
  return Math.min(1, progress.receivedBytes / progress.totalBytes)
}
