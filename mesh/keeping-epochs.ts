import { asMeshError, isAbort, type Clock, type Logger, type Random } from './base/index.ts'
import { createEpochs, type Epochs, type Membership } from './identity/index.ts'
import type { SealingKeyPair } from './seal/index.ts'

/** How long a device waits before it does what another one may be doing at this moment, in ms. */
const OTHERS_FIRST_MS = 2_000
/** Pause before keys are looked after again when that failed, in ms. */
const AGAIN_MS = 10_000

interface KeepingPorts {
  readonly membership: Membership
  readonly sealing: SealingKeyPair
  readonly random: Random
  readonly clock: Clock
  readonly log: Logger
}

/** The keys of the present mesh, looked after while the peer runs. */
export interface KeptEpochs {
  /** The keyring of the mesh this device is in now. */
  epochs(): Epochs
  /** Looks after the keys now. @throws MeshError of the store */
  maintain(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  close(): void
}

/**
 * Looks after the keys: when the ledger changes, when a key is due, and when this
 * device goes to another mesh. What another device has just caused it has the time
 * to do itself; what it left undone is done here.
 */
export function keepEpochs(ports: KeepingPorts): KeptEpochs {
  const { membership, sealing, random, clock, log } = ports
  const life = new AbortController()
  const make = (): Epochs => createEpochs({ ledger: membership.ledger(), sealingKey: sealing, random, clock, log })
  let mesh = membership.ledger().mesh
  let epochs = make()
  let cancelNext = (): void => {}

  const schedule = (delayMs: number): void => {
    cancelNext()
    cancelNext = clock.schedule(delayMs, () => {
      void attempt()
    })
  }

  const maintain: KeptEpochs['maintain'] = async (options = {}) => {
    if (membership.standing() === 'removed') return
    const { dueInMs } = await epochs.maintain({ signal: options.signal ?? life.signal })
    // a timer holds no more than some days
    if (dueInMs !== undefined) schedule(Math.min(dueInMs, 24 * 60 * 60_000))
  }

  const attempt = async (): Promise<void> => {
    try {
      await maintain()
    } catch (error) {
      if (isAbort(error)) return
      log.warn('the keys could not be looked after; it is tried again', { error: asMeshError(error).message })
      schedule(AGAIN_MS)
    }
  }

  const unsubscribe = membership.changes.subscribe(() => {
    if (membership.ledger().mesh !== mesh) {
      epochs.close()
      mesh = membership.ledger().mesh
      epochs = make()
    }
    schedule(OTHERS_FIRST_MS)
  })
  schedule(0)

  return {
    epochs: () => epochs,
    maintain,
    close() {
      unsubscribe()
      cancelNext()
      life.abort()
      epochs.close()
    },
  }
}
