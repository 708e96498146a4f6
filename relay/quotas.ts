import type { Clock, DeviceId } from '../mesh/base/index.ts'

/** Relayed connections one device may ask for within {@link WINDOW_MS}. */
export const CONNECTIONS_PER_DEVICE = 60
/** The window of that count, in ms. */
export const WINDOW_MS = 60_000
/** Devices counted at once; beyond it the longest unseen is forgotten. */
const DEVICES_MAX = 10_000

/** Counts what one device asks of the relay, so that nobody can use it up for the others. */
export interface DeviceQuota {
  /** Takes one connection of the device's share; false when the share is used up. */
  take(id: DeviceId): boolean
}

/** A share per device and window, in bounded memory. */
export function createDeviceQuota(clock: Clock, perDevice: number = CONNECTIONS_PER_DEVICE): DeviceQuota {
  const counts = new Map<DeviceId, { since: number; count: number }>()
  return {
    take(id) {
      const now = clock.monotonic()
      const known = counts.get(id)
      const entry = known === undefined || now - known.since > WINDOW_MS ? { since: now, count: 0 } : known
      entry.count += 1
      // re-inserted, so that the map's order is the order of last use
      counts.delete(id)
      counts.set(id, entry)
      if (counts.size > DEVICES_MAX) {
        const [oldest] = counts.keys()
        if (oldest !== undefined) counts.delete(oldest)
      }
      return entry.count <= perDevice
    },
  }
}
