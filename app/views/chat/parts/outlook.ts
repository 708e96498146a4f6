import type { ModelProgress, ModelRecord } from '../../../../mesh/engine/index.ts'
import type { DeviceView, Standing } from '../../../../mesh/mesh-types.ts'

/** What a person may expect when they ask now. */
export type Outlook =
  /** The peer is not up yet, here or in the tab that holds it. */
  | { readonly kind: 'starting' }
  /** Nobody to ask: this device belongs to no mesh. */
  | { readonly kind: 'alone' }
  | { readonly kind: 'ready'; readonly device: DeviceView; readonly model: ModelRecord }
  | {
      readonly kind: 'fetching'
      readonly device: DeviceView
      readonly model: ModelRecord
      readonly progress: ModelProgress
    }
  /** A device is there and its model could not be had or used. */
  | { readonly kind: 'failed'; readonly device: DeviceView; readonly model: ModelRecord }
  /** Devices are there, none has a model. */
  | { readonly kind: 'no-model'; readonly devices: readonly DeviceView[] }
  /** No other device can be reached. */
  | { readonly kind: 'away'; readonly devices: readonly DeviceView[] }

/** What is known of the mesh, read as an expectation. */
export interface OutlookFacts {
  readonly running: boolean
  readonly standing: Standing
  readonly devices: readonly DeviceView[]
}

const USABLE: ReadonlySet<ModelRecord['state']> = new Set(['ready', 'available', 'loading'])

/** The best that can be said: an answer now, an answer soon, or what is missing. */
export function outlookOf(facts: OutlookFacts): Outlook {
  if (!facts.running) return { kind: 'starting' }
  const there = facts.devices.filter((device) => device.state === 'online')
  for (const device of there) {
    const model = device.models.find((entry) => USABLE.has(entry.state))
    if (model !== undefined) return { kind: 'ready', device, model }
  }
  for (const device of there) {
    const model = device.models.find((entry) => entry.state === 'downloading')
    if (model?.progress !== undefined) return { kind: 'fetching', device, model, progress: model.progress }
  }
  if (facts.standing !== 'member') return { kind: 'alone' }
  for (const device of there) {
    const model = device.models.find((entry) => entry.state === 'failed')
    if (model !== undefined) return { kind: 'failed', device, model }
  }
  const others = facts.devices.filter((device) => device.path !== 'self' && device.state !== 'removed')
  const near = others.filter((device) => device.state === 'online')
  return near.length > 0 ? { kind: 'no-model', devices: near } : { kind: 'away', devices: others }
}

/** How long the rest of a download takes at its present rate; nothing while it stands still. */
export function leftMs(progress: ModelProgress): number | undefined {
  if (progress.rateBytesPerSecond <= 0) return undefined
  return ((progress.totalBytes - progress.receivedBytes) / progress.rateBytesPerSecond) * 1000
}
