import {
  isMeshError,
  KEY_SLOTS_MAX,
  MeshError,
  throwIfAborted,
  type Clock,
  type Logger,
  type PlatformStore,
  type Random,
  type Store,
  type StoreOptions,
} from '../base/index.ts'
import { SECRET_KEY_BYTES, secretKey, type SecretKey } from './aead.ts'
import {
  decodeKeySlots,
  deviceSlot,
  encodeKeySlots,
  openDeviceSlot,
  openSlots,
  passkeySlot,
  passphraseSlot,
  type KeySlot,
  type KeySlots,
  type PasskeyAnswer,
  type SlotPorts,
  type UnlockSecret,
} from './key-slots.ts'
import { checkPassphrase, PASSPHRASE_COST, type PassphraseCost } from './passphrase.ts'
import { sealInPlace, VAULT_PREFIX } from './seal-in-place.ts'
import { createSealedStore, SEALED_PREFIX } from './sealed-store.ts'
import { unlockTries } from './unlock-wait.ts'

const SLOTS_KEY = `${VAULT_PREFIX}slots`
/** The same once more: without it nothing that is stored opens. */
const SECOND_SLOTS_KEY = `${VAULT_PREFIX}slots-second`
/** There while a way that was taken away may still be read from the files. */
const UNTIDY_KEY = `${VAULT_PREFIX}untidy`

/** Port: the key that only this device has, kept beside the sealed data. */
export interface DeviceKeeper {
  /** The kept key, or undefined where there is none. */
  load(options?: StoreOptions): Promise<SecretKey | undefined>
  /** A fresh key, durably in the place of any before. */
  make(options?: StoreOptions): Promise<SecretKey>
  /** Forgets the key, durably. */
  forget(options?: StoreOptions): Promise<void>
}

/** What a vault stands on. */
export interface VaultPorts {
  readonly inner: PlatformStore
  readonly device: DeviceKeeper
  readonly random: Random
  readonly clock: Clock
  /** Runs one at a time over everything that has this store open, such as the tabs of a browser. */
  readonly alone: <Value>(work: () => Promise<Value>) => Promise<Value>
  /** Told when the record of the locks was damaged and came from its second. */
  readonly log?: Logger | undefined
  /** What a new passphrase slot costs; by default {@link PASSPHRASE_COST}. */
  readonly cost?: PassphraseCost
}

/** A lock as a person sees it. */
export interface LockView {
  readonly id: string
  readonly kind: 'passphrase' | 'passkey'
  /** Of a passkey. */
  readonly name: string
  /** ms since 1970 */
  readonly createdAt: number
  /** What the browser finds the passkey by, and asks it with. */
  readonly passkey?: { readonly credential: Uint8Array; readonly salt: Uint8Array }
}

/** A vault whose store can be used. */
export interface OpenVault {
  readonly state: 'open'
  readonly store: Store
  /** Every lock; none: the key of this device opens it by itself. */
  locks(options?: StoreOptions): Promise<readonly LockView[]>
  /**
   * Sets the passphrase, in the place of any before, and takes away the key of this device.
   * @throws MeshError `usage`, `unsupported`
   */
  setPassphrase(passphrase: string, options?: StoreOptions): Promise<void>
  /** Adds a passkey and takes away the key of this device. @throws MeshError `conflict` when there are too many */
  addPasskey(answer: PasskeyAnswer, options?: StoreOptions): Promise<void>
  /** Takes a lock away; with the last one, the key of this device comes back. */
  removeLock(id: string, options?: StoreOptions): Promise<void>
  /** Takes all locks away: the key of this device opens the store again. */
  removeLocks(options?: StoreOptions): Promise<void>
}

/** A vault that waits for a secret. */
export interface LockedVault {
  readonly state: 'locked'
  readonly locks: readonly LockView[]
  /** How long until the next try is let, in ms. */
  waitMs(options?: StoreOptions): Promise<number>
  /**
   * Opens it.
   * @throws MeshError `passphrase-wrong`; `locked` with detail `waitMs` after too many of these
   */
  unlock(secret: UnlockSecret, options?: StoreOptions): Promise<OpenVault>
}

/**
 * The sealed store of this device. Its key is random and lies in the inner store,
 * wrapped once for each way to open it. The first start makes it, with the key of this
 * device as the only way, and seals what an earlier version left unsealed. Every
 * change is one write of one record: killed at any moment, the store opens as before
 * or as after, and what it took away leaves the files at the next opening.
 * @throws MeshError `storage-corrupt` when the key of this device or the record of the
 * locks is gone or damaged; nothing is begun anew over data that is there.
 */
export async function openVault(ports: VaultPorts, options: StoreOptions = {}): Promise<OpenVault | LockedVault> {
  return ports.alone(async () => {
    throwIfAborted(options.signal)
    const slots = (await readSlots(ports, options)) ?? (await begin(ports, options))
    await tidyIfLeft(ports, options)
    const own = slots.slots.find((slot) => slot.kind === 'device')
    if (own === undefined) {
      // a lock was set, and the process ended before the key of the device was forgotten
      await ports.device.forget(options)
      return lockedVault(ports, slots)
    }
    const storeKey = await withDeviceKey(ports, own, options)
    return openedVault(ports, slots, storeKey, options)
  })
}

/** The first start: the key of the device is kept before anything is sealed that needs it. */
async function begin(ports: VaultPorts, options: StoreOptions): Promise<KeySlots> {
  await refuseOrphans(ports.inner, options)
  const key = await ports.device.make(options)
  const slot = await deviceSlot(ports.random.bytes(SECRET_KEY_BYTES), key, slotPorts(ports))
  const slots: KeySlots = { version: 1, isSealed: false, slots: [slot] }
  await writeSlots(ports, slots, options)
  return slots
}

/** A change of the locks was cut before the files were rid of what it took away. */
async function tidyIfLeft({ inner, log }: VaultPorts, options: StoreOptions): Promise<void> {
  if ((await inner.get(UNTIDY_KEY, options)) === undefined) return
  try {
    await tidy(inner, options)
  } catch (error) {
    throwIfAborted(options.signal)
    log?.warn('a lock that was taken away is still in the files; it is tried again at the next start', { error })
  }
}

async function tidy(inner: PlatformStore, options: StoreOptions): Promise<void> {
  await inner.scrub(options)
  await inner.delete(UNTIDY_KEY, options)
}

/** Sealed data without a way to its key is a damaged store, never a new one. */
async function refuseOrphans(inner: PlatformStore, options: StoreOptions): Promise<void> {
  const [records, logs] = await Promise.all([inner.list(SEALED_PREFIX, options), inner.logs(options)])
  if (records.length === 0 && !logs.some((log) => log.startsWith(SEALED_PREFIX))) return
  throw new MeshError('storage-corrupt', 'The stored data is sealed, and the record of what opens it is gone.')
}

async function withDeviceKey(ports: VaultPorts, slot: KeySlot, options: StoreOptions): Promise<Uint8Array> {
  const key = await ports.device.load(options)
  if (key === undefined) {
    throw new MeshError(
      'storage-corrupt',
      'The stored data is sealed, and the key of this device that opens it is gone.',
    )
  }
  try {
    return await openDeviceSlot(slot, key)
  } catch (error) {
    if (!isMeshError(error, 'integrity')) throw error
    const sentence = 'The stored data is sealed, and the key of this device does not open it.'
    throw new MeshError('storage-corrupt', sentence, { cause: error })
  }
}

async function openedVault(
  ports: VaultPorts,
  slots: KeySlots,
  storeKey: Uint8Array,
  options: StoreOptions,
): Promise<OpenVault> {
  const store = createSealedStore(ports.inner, await secretKey(storeKey), ports.random)
  if (!slots.isSealed) {
    await sealInPlace(ports.inner, store, options)
    await writeSlots(ports, { ...slots, isSealed: true }, options)
  }
  return createOpenVault(ports, store, storeKey)
}

function lockedVault(ports: VaultPorts, slots: KeySlots): LockedVault {
  const tries = unlockTries(ports.inner, ports.clock)
  return {
    state: 'locked',
    locks: locksOf(slots),
    waitMs: (options) => tries.waitMs(options),
    unlock: (secret, options = {}) =>
      ports.alone(async () => {
        const waitMs = await tries.waitMs(options)
        if (waitMs > 0) throw mustWait(waitMs)
        await tries.begin(options)
        // another tab may have changed the locks since
        const current = await needSlots(ports, options)
        const storeKey = await openSlots(current.slots, secret)
        if (storeKey === undefined) throw wrong(secret)
        await tries.clear(options)
        return openedVault(ports, current, storeKey, options)
      }),
  }
}

function createOpenVault(ports: VaultPorts, store: Store, storeKey: Uint8Array): OpenVault {
  const { inner, device, cost = PASSPHRASE_COST } = ports

  /** Counts with one write of one record; a key of the device that no slot needs any more is forgotten after it. */
  const change = (options: StoreOptions, work: (locks: readonly KeySlot[]) => Promise<KeySlot[]>): Promise<void> =>
    ports.alone(async () => {
      throwIfAborted(options.signal)
      const current = await needSlots(ports, options)
      const locks = await work(current.slots.filter((slot) => slot.kind !== 'device'))
      if (locks.length > KEY_SLOTS_MAX) {
        throw new MeshError('conflict', `There are ${String(KEY_SLOTS_MAX)} locks already. Remove one first.`)
      }
      const slots = locks.length > 0 ? locks : [await ownSlot(current, options)]
      // the way that is taken away must not be read from the files, whenever this is cut
      await inner.put(UNTIDY_KEY, new Uint8Array(), options)
      const isKeptTwice = await writeSlots(ports, { ...current, slots }, options)
      if (locks.length > 0) await device.forget(options)
      // else the second has the old ways still
      if (isKeptTwice) await tidy(inner, options)
    })

  const ownSlot = async (current: KeySlots, options: StoreOptions): Promise<KeySlot> => {
    const known = current.slots.find((slot) => slot.kind === 'device')
    return known ?? deviceSlot(storeKey, await device.make(options), slotPorts(ports))
  }

  return {
    state: 'open',
    store,
    locks: async (options = {}) => locksOf(await needSlots(ports, options)),
    async setPassphrase(passphrase, options = {}) {
      checkPassphrase(passphrase)
      await change(options, async (locks) => [
        ...locks.filter((slot) => slot.kind !== 'passphrase'),
        await passphraseSlot(storeKey, passphrase, cost, slotPorts(ports)),
      ])
    },
    addPasskey: (answer, options = {}) =>
      change(options, async (locks) => [...locks, await passkeySlot(storeKey, answer, slotPorts(ports))]),
    removeLock: (id, options = {}) =>
      change(options, (locks) => Promise.resolve(locks.filter((slot) => slot.id !== id))),
    removeLocks: (options = {}) => change(options, () => Promise.resolve([])),
  }
}

async function needSlots(ports: VaultPorts, options: StoreOptions): Promise<KeySlots> {
  const slots = await readSlots(ports, options)
  if (slots === undefined) throw new MeshError('storage-corrupt', 'The record of the locks is gone.')
  return slots
}

/** The first counts where it is whole, so that a lock that was taken away stays away. */
async function readSlots({ inner, log }: VaultPorts, options: StoreOptions): Promise<KeySlots | undefined> {
  const [first, second] = [await inner.get(SLOTS_KEY, options), await inner.get(SECOND_SLOTS_KEY, options)]
  try {
    if (first === undefined && second === undefined) return undefined
    if (first === undefined) throw new MeshError('storage-corrupt', 'The record of the locks is gone.')
    const slots = decodeKeySlots(first)
    const kept = encodeKeySlots(slots)
    // an earlier version kept it once, and without a sum
    if (!isSame(first, kept)) await inner.put(SLOTS_KEY, kept, options)
    if (!isSame(second, kept)) await inner.put(SECOND_SLOTS_KEY, kept, options)
    return slots
  } catch (error) {
    if (!isMeshError(error, 'storage-corrupt') || second === undefined) throw error
    const slots = decodeKeySlots(second)
    log?.error('the record of the locks was damaged; it is kept twice, and nothing is lost', { error })
    await inner.put(SLOTS_KEY, second, options)
    return slots
  }
}

/**
 * Durable in the first place, which counts, when it resolves.
 * @returns whether in the second too; if not, the next opening sees to it
 */
async function writeSlots({ inner, log }: VaultPorts, slots: KeySlots, options: StoreOptions): Promise<boolean> {
  const stored = encodeKeySlots(slots)
  await inner.put(SLOTS_KEY, stored, options)
  try {
    await inner.put(SECOND_SLOTS_KEY, stored, options)
    return true
  } catch (error) {
    log?.warn('the record of the locks could not be kept twice; it is tried again at the next start', { error })
    return false
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])
}

function locksOf({ slots }: KeySlots): readonly LockView[] {
  return slots.flatMap((slot): LockView[] => {
    const { id, createdAt } = slot
    if (slot.kind === 'passphrase') return [{ id, kind: 'passphrase', name: '', createdAt }]
    if (slot.kind === 'device') return []
    const { name, credential, salt } = slot
    return [{ id, kind: 'passkey', name, createdAt, passkey: { credential, salt } }]
  })
}

function slotPorts(ports: VaultPorts): SlotPorts {
  return { random: ports.random, nowMs: Math.max(0, Math.floor(ports.clock.now())) }
}

function wrong(secret: UnlockSecret): MeshError {
  const sentence =
    secret.kind === 'passphrase'
      ? 'This is not the passphrase. Capital letters and spaces count.'
      : 'This passkey does not open the data of this device.'
  return new MeshError('passphrase-wrong', sentence)
}

function mustWait(waitMs: number): MeshError {
  const seconds = Math.ceil(waitMs / 1000)
  const sentence = `After so many wrong tries, the next is let in ${String(seconds)} ${seconds === 1 ? 'second' : 'seconds'}.`
  return new MeshError('locked', sentence, { detail: { waitMs: Math.ceil(waitMs) } })
}
