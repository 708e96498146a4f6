import {
  asMeshError,
  createEvents,
  isAbort,
  isMeshError,
  MeshError,
  type Clock,
  type Logger,
  type MeshId,
  type Random,
} from './base/index.ts'
import {
  createEpochs,
  type EpochChange,
  type Epochs,
  type EpochsPorts,
  type Keyring,
  type Membership,
} from './identity/index.ts'
import type { SealingKeyPair } from './seal/index.ts'

/** Pause before keys are looked after again when that failed, in ms. */
const AGAIN_MS = 10_000
/** How often the ledger may change under one look at the keys before it is put off. */
const CONFLICTS_MAX = 5
/** Pause before keys are looked after again when the ledger changed meanwhile, in ms. */
const SOON_MS = 250
/** The longest a timer waits, in ms. */
const LOOK_AGAIN_MS = 24 * 60 * 60_000

interface KeepingPorts {
  readonly membership: Membership
  readonly sealing: SealingKeyPair
  readonly random: Random
  readonly clock: Clock
  readonly log: Logger
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** The keys of the present mesh, looked after while the peer runs; another mesh has other keys. */
export interface KeptEpochs extends Keyring {
  /** The mesh they are of; for a moment after this device went to another one still the one before. */
  mesh(): MeshId
  /** Looks after the keys now: what a removal or a new device asks for is done when it resolves. @throws MeshError of the store */
  maintain(options?: Cancellable): Promise<void>
  /** See {@link Epochs.meshTags}. */
  meshTags(): readonly Uint8Array[]
  /**
   * Opens with a person's recovery key whatever was sealed to it, and seals it to this
   * device: from then on it needs the words no more. @throws MeshError of the store
   */
  openWith(recovery: NonNullable<EpochsPorts['recovery']>, options?: Cancellable): Promise<void>
  /** See {@link Epochs.missing}, of the mesh this device is in. */
  missing(): ReturnType<Epochs['missing']>
  /** See {@link Epochs.give}. */
  give: Epochs['give']
  /** See {@link Epochs.take}. */
  take: Epochs['take']
  close(): void
}

/** Looks after the keys: when the ledger changes, when a key is due, and when this device goes to another mesh. */
export async function keepEpochs(ports: KeepingPorts, options: Cancellable = {}): Promise<KeptEpochs> {
  const { membership, sealing, random, clock, log } = ports
  const life = new AbortController()
  const changes = createEvents<EpochChange>((error) => {
    log.error('a listener of the keys failed', { error })
  })
  let mesh = membership.ledger().mesh
  let epochs = await open(options)
  let cancelNext = (): void => {}

  async function open(openOptions: Cancellable): Promise<Epochs> {
    const opened = await createEpochs(
      { ledger: membership.ledger(), self: membership.self, sealingKey: sealing, random, clock, log },
      openOptions,
    )
    opened.changes.subscribe((change) => {
      changes.emit(change)
    })
    return opened
  }

  let following: Promise<void> | undefined
  const follow = async (): Promise<void> => {
    if (membership.ledger().mesh === mesh) return
    following ??= change().finally(() => {
      following = undefined
    })
    await following
  }
  const change = async (): Promise<void> => {
    const wanted = membership.ledger().mesh
    const next = await open({ signal: life.signal })
    epochs.close()
    epochs = next
    mesh = wanted
    changes.emit({ scope: 'mesh', opened: [] })
  }

  /** An entry of another device that came in between makes an own one void; with that one known it is right. */
  const maintained = async (keys: Epochs, signal: AbortSignal): ReturnType<Epochs['maintain']> => {
    for (let attempts = 1; ; attempts++) {
      try {
        return await keys.maintain({ signal })
      } catch (error) {
        if (!isMeshError(error, 'conflict') || attempts === CONFLICTS_MAX) throw error
      }
    }
  }

  const maintain: KeptEpochs['maintain'] = async (maintainOptions = {}) => {
    await follow()
    if (membership.standing() === 'removed') return
    const { dueInMs } = await maintained(epochs, maintainOptions.signal ?? life.signal)
    if (dueInMs !== undefined) schedule(Math.min(dueInMs, LOOK_AGAIN_MS))
  }

  const attempt = async (): Promise<void> => {
    try {
      await maintain()
    } catch (error) {
      if (isAbort(error)) return
      // the ledger moved on while a key was made: look again at what is left to do
      if (isMeshError(error, 'conflict')) {
        schedule(SOON_MS)
        return
      }
      log.warn('the keys could not be looked after; it is tried again', { error: asMeshError(error).message })
      schedule(AGAIN_MS)
    }
  }

  function schedule(delayMs: number): void {
    cancelNext()
    if (life.signal.aborted) return
    cancelNext = clock.schedule(delayMs, () => {
      void attempt()
    })
  }

  const unsubscribe = membership.changes.subscribe(() => {
    schedule(0)
  })
  schedule(0)

  return {
    changes,
    mesh: () => mesh,
    current: (scope, currentOptions) => epochs.current(scope, currentOptions),
    get: (scope, epoch) => epochs.get(scope, epoch),
    maintain,
    // until the keys of the mesh one went to are open, those of the last one are nobody's
    meshTags: () => (membership.ledger().mesh === mesh ? epochs.meshTags() : []),
    missing: () => (membership.ledger().mesh === mesh ? epochs.missing() : new Map()),
    give: (scope, to, wanted) => epochs.give(scope, to, wanted),
    take: (scope, given, takeOptions) => epochs.take(scope, given, takeOptions),
    async openWith(recovery, openOptions = {}) {
      await follow()
      const ledger = membership.ledger()
      const wide = await createEpochs(
        { ledger, self: membership.self, sealingKey: sealing, recovery, random, clock, log },
        openOptions,
      )
      try {
        await maintained(wide, openOptions.signal ?? life.signal)
      } finally {
        wide.close()
      }
      await maintain(openOptions)
    },
    close() {
      unsubscribe()
      cancelNext()
      life.abort(new MeshError('aborted', 'Stopped.'))
      epochs.close()
    },
  }
}
