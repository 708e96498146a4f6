import { asId, type DeviceId } from '../../mesh/base/index.ts'
import type { DeviceView } from '../../mesh/mesh-types.ts'

/** How long a device counts as new, in ms: a phone that lay in a drawer for weeks still asks. */
export const NEWCOMER_MS = 30 * 86_400_000
/** Most devices remembered as known; the oldest answers are forgotten first. */
const KNOWN_MAX = 256

/** Who looks, and at what. */
export interface NewcomerFacts {
  /** This device first. */
  readonly devices: readonly DeviceView[]
  /** The devices of this person. */
  readonly own: readonly DeviceId[]
  /** Those of which somebody said here that they are known. */
  readonly known: readonly DeviceId[]
  /** ms since 1970 */
  readonly now: number
}

/**
 * The newest device of one's own that came while this one was not the one who let it
 * in. Somebody who got hold of a link or a screen shows up here, on every other device.
 */
export function nextNewcomer({ devices, own, known, now }: NewcomerFacts): DeviceView | undefined {
  const [self, ...others] = devices
  if (self === undefined) return undefined
  return others
    .filter(
      (device) =>
        own.includes(device.id) &&
        device.admittedBy !== self.id &&
        device.admittedAt > self.admittedAt &&
        now - device.admittedAt < NEWCOMER_MS &&
        !known.includes(device.id),
    )
    .sort((one, other) => other.admittedAt - one.admittedAt)[0]
}

/** The known devices with one more, bounded. */
export function withKnown(known: readonly DeviceId[], device: DeviceId): readonly DeviceId[] {
  return [...known.filter((id) => id !== device), device].slice(-KNOWN_MAX)
}

/** Known devices as a text to be remembered, and back. */
export const knownAsText = (known: readonly DeviceId[]): string => known.join(' ')
/** The reverse of {@link knownAsText}; nothing remembered is nobody known. */
export const knownFromText = (text: string | undefined): readonly DeviceId[] =>
  (text ?? '')
    .split(' ')
    .filter((id) => id !== '')
    .map((id) => asId<DeviceId>(id))
