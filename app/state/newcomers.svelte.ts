import { asId, type DeviceId } from '../../mesh/base/index.ts'
import type { DeviceView } from '../../mesh/mesh-types.ts'
import type { Memory } from './preferences.svelte.ts'

/** How long a device counts as new, in ms: a phone that lay in a drawer for weeks still asks. */
export const NEWCOMER_MS = 30 * 86_400_000
/** Most devices remembered as known; the oldest answers are forgotten first. */
const KNOWN_MAX = 256
const KEY = 'known-devices'

/**
 * Devices of one's own that came while this one was not the one who let them in.
 * Somebody who got hold of a link or a screen would show up here on every other
 * device of the person; each asks once.
 */
export class Newcomers {
  readonly #memory: Memory
  #known = $state.raw<readonly DeviceId[]>([])

  constructor(memory: Memory) {
    this.#memory = memory
    this.#known = (memory.read(KEY) ?? '')
      .split(' ')
      .filter((id) => id !== '')
      .map((id) => asId<DeviceId>(id))
  }

  /** The newest device that this one should ask about. `own`: the devices of this person; the first of `devices` is this one. */
  next(devices: readonly DeviceView[], own: readonly DeviceId[], now: number): DeviceView | undefined {
    const [self, ...others] = devices
    if (self === undefined) return undefined
    return others
      .filter(
        (device) =>
          own.includes(device.id) &&
          device.admittedBy !== self.id &&
          device.admittedAt > self.admittedAt &&
          now - device.admittedAt < NEWCOMER_MS &&
          !this.#known.includes(device.id),
      )
      .sort((one, other) => other.admittedAt - one.admittedAt)[0]
  }

  /** It was me: not asked again on this device. */
  recognise(device: DeviceId): void {
    this.#known = [...this.#known.filter((id) => id !== device), device].slice(-KNOWN_MAX)
    this.#memory.write(KEY, this.#known.join(' '))
  }
}
