import { asMeshError, isAbort, type Clock, type DeviceId, type Logger, type MeshId } from './base/index.ts'
import type { EarlierLists, Membership } from './identity/index.ts'
import { proveEarlier, type AddressBook, type Links } from './net/index.ts'

/** First and longest pause between two tries, in ms. */
const FIRST_MS = 1_000
const MOST_MS = 60_000

interface ReturningPorts {
  readonly membership: Membership
  readonly earlier: EarlierLists
  readonly links: Links
  readonly book: AddressBook
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Brings a device of version 0.1 into the ledger of the device on whose list it was,
 * by itself, for as long as it takes. The returned function ends it.
 */
export function returnToKeeper(ports: ReturningPorts): () => void {
  const { membership, earlier, links, book, clock, log } = ports
  const life = new AbortController()
  let delayMs = FIRST_MS
  let cancel = (): void => {}

  const attempt = async (keeper: DeviceId): Promise<void> => {
    const { signal } = life
    const connection = await links.dialOnce(keeper, book.addresses(keeper), { signal })
    try {
      links.spare(keeper)
      const certificate = await membership.certificate()
      const own = {
        certificate,
        consent: (mesh: MeshId) =>
          membership.consent({ by: 'device', device: keeper }, { mesh, key: undefined, certificate }),
      }
      const { mesh, entries } = await proveEarlier(connection, own, ports, { signal })
      await membership.adopt(mesh, entries, { by: 'list', keeper }, { signal })
      await earlier.settle({ signal })
      log.info('this device is in the ledger of its mesh now', { keeper })
    } finally {
      connection.abort(asMeshError(life.signal.reason ?? 'done'))
    }
  }

  const run = async (): Promise<void> => {
    const keeper = earlier.keeper()
    // a device that went elsewhere meanwhile has no need of its old list
    if (keeper === undefined || membership.standing() !== 'alone') {
      await earlier.settle({ signal: life.signal })
      return
    }
    try {
      await attempt(keeper)
    } catch (error) {
      if (isAbort(error) && life.signal.aborted) return
      const known = asMeshError(error)
      if (known.code === 'not-admitted' || known.code === 'removed') {
        log.warn('the device on whose list this one was does not have it any more', { keeper })
        await earlier.settle({ signal: life.signal })
        return
      }
      log.debug('the keeper of the old list could not be reached', { keeper, code: known.code })
      cancel = clock.schedule(delayMs, () => void run().catch(onFailure))
      delayMs = Math.min(MOST_MS, delayMs * 2)
    }
  }

  const onFailure = (error: unknown): void => {
    if (!isAbort(error)) log.warn('the old list could not be settled', { error: asMeshError(error).message })
  }

  if (earlier.keeper() !== undefined) void run().catch(onFailure)
  return () => {
    life.abort()
    cancel()
  }
}
