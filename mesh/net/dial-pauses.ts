import { HEARSAY_PAUSE_FIRST_MS, HEARSAY_PAUSE_MAX_MS, type Clock, type DeviceId } from '../base/index.ts'

/** Addresses that were told and led nowhere: each is left alone for longer and longer. */
export interface DialPauses {
  /** How long an address is left alone still, in ms; 0: it may be dialled. */
  leftMs(id: DeviceId, address: string): number
  failed(id: DeviceId, address: string): void
  worked(id: DeviceId, address: string): void
  /** It may be dialled once more now; when that fails, the pause is longer than the one before. */
  lift(id: DeviceId, address: string): void
  /** This device itself has moved or woken: what led nowhere may lead somewhere now. */
  clear(): void
}

/** Pauses in memory. What is not dialled any more is forgotten. */
export function createDialPauses(clock: Clock): DialPauses {
  const pauses = new Map<string, { until: number; failures: number }>()
  const keyOf = (id: DeviceId, address: string): string => `${id} ${address}`

  const forgetOld = (): void => {
    const now = clock.monotonic()
    for (const [key, pause] of pauses) if (pause.until + HEARSAY_PAUSE_MAX_MS < now) pauses.delete(key)
  }

  return {
    leftMs: (id, address) => Math.max(0, (pauses.get(keyOf(id, address))?.until ?? 0) - clock.monotonic()),
    failed(id, address) {
      forgetOld()
      const failures = (pauses.get(keyOf(id, address))?.failures ?? 0) + 1
      const pauseMs = Math.min(HEARSAY_PAUSE_FIRST_MS * 2 ** Math.min(failures - 1, 20), HEARSAY_PAUSE_MAX_MS)
      pauses.set(keyOf(id, address), { until: clock.monotonic() + pauseMs, failures })
    },
    worked(id, address) {
      pauses.delete(keyOf(id, address))
    },
    lift(id, address) {
      const known = pauses.get(keyOf(id, address))
      if (known !== undefined) known.until = Math.min(known.until, clock.monotonic())
    },
    clear() {
      pauses.clear()
    },
  }
}
