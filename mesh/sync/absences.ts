import * as z from 'zod/mini'
import { asMeshError, getWhole, SYNC_ABSENCE_MS, SYNC_ABSENCES_MAX, SYNC_SEEN_EVERY_MS } from '../base/index.ts'
import { decode, encode, whole } from '../wire/index.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'

const KEY = 'sync/absences'

/** When this device did not run: time it had no chance to take anything in. */
export interface Absences {
  /** How much time went by since then, in ms, without absences of more than a day. */
  elapsedMs(since: number): number
  /** Notes no more. */
  close(): void
}

const saved = z.object({ seenAt: whole(), absences: z.array(z.tuple([whole(), whole()])) })

/** The absences of this device, as its store knows them; noted from now on. */
export async function loadAbsences(
  { store, clock, log }: Pick<SyncPorts, 'store' | 'clock' | 'log'>,
  options: Options,
): Promise<Absences> {
  let seenAt: number | undefined
  let absences: readonly (readonly [from: number, to: number])[] = []
  let cancel: (() => void) | undefined

  const stored = await getWhole(store, KEY, log, options)
  if (stored !== undefined) {
    try {
      ;({ seenAt, absences } = decode(stored, saved, { maxBytes: SAVED_MAX_BYTES, what: 'The absences' }))
    } catch (error) {
      log.warn('when this device did not run could not be read', { reason: asMeshError(error).message })
    }
  }

  /** With the one that is just over, of a machine that slept with this running on it: it is noted hours later. */
  const allUntil = (now: number): readonly (readonly [from: number, to: number])[] =>
    seenAt !== undefined && now - seenAt > SYNC_ABSENCE_MS ? [...absences, [seenAt, now]] : absences

  const note = (): void => {
    const now = clock.now()
    absences = allUntil(now).slice(-SYNC_ABSENCES_MAX)
    seenAt = now
    store.put(KEY, encode({ seenAt, absences })).catch((error: unknown) => {
      log.info('when this device did not run was not kept', { reason: asMeshError(error).message })
    })
    cancel = clock.schedule(SYNC_SEEN_EVERY_MS, note)
  }
  note()

  return {
    elapsedMs(since) {
      const now = clock.now()
      const absentMs = allUntil(now).reduce(
        (sum, [from, to]) => sum + Math.max(0, Math.min(to, now) - Math.max(from, since)),
        0,
      )
      return now - since - absentMs
    },
    close() {
      cancel?.()
    },
  }
}

const SAVED_MAX_BYTES = SYNC_ABSENCES_MAX * 32 + 256
