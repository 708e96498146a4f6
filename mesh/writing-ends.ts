import { asId, type DeviceId, type EntryHash } from './base/index.ts'
import type { LedgerEpoch } from './identity/index.ts'
import type { WritingEnd } from './sync/index.ts'

/**
 * Since when a device may not write in a scope, by the keys the ledger knows, newest first: since the first
 * one it was not given was heard of here. A device that came after that key asks when it was made, where
 * others who stay held it: these could tell all the time since what they have of that device, and one that
 * is new opens no door that was shut.
 * @returns undefined while no such key is known
 */
export function writingEndOf(
  device: DeviceId,
  known: {
    readonly self: DeviceId
    readonly epochs: readonly Pick<LedgerEpoch, 'id' | 'generation' | 'at' | 'sealed' | 'counts'>[]
    readonly receivedAt: (epoch: EntryHash) => number | undefined
    readonly mayWrite: (device: DeviceId) => boolean
  },
): WritingEnd | undefined {
  const { self, receivedAt, mayWrite } = known
  const epochs = known.epochs.filter(({ counts }) => counts)
  const isGiven = ({ sealed }: (typeof epochs)[number], to: DeviceId): boolean => sealed.some((one) => one.to === to)
  const last = epochs.find((epoch) => isGiven(epoch, device))?.generation ?? 0
  const end = epochs.filter(({ generation }) => generation > last).at(-1)
  const heardAt = end && receivedAt(end.id)
  if (end === undefined || heardAt === undefined) return undefined
  const others = end.sealed.filter(({ to }) => to !== self && !to.startsWith('recovery:'))
  const isAlone = !others.some(({ to }) => mayWrite(asId<DeviceId>(to)))
  return { at: isAlone || isGiven(end, self) ? heardAt : Math.min(heardAt, end.at), isAlone }
}
