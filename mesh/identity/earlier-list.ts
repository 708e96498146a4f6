import * as z from 'zod/mini'
import { asMeshError, MeshError, wholeRecords, type DeviceId, type Logger, type Store } from '../base/index.ts'
import { bytes, decode, deviceId, exactBytes, list, text, whole } from '../wire/index.ts'
import { verifyBy } from './device-key.ts'
import { cleanName, NAME_MAX_LENGTH } from './names.ts'

/** Version 0.1 kept signed lists of devices; the bounds and the grammar are its. */
const LIST_MAX_BYTES = 256 * 1024
const LIST_MAX_DEVICES = 512
const PREFIX = 'roster/'
const CONTEXT = new TextEncoder().encode('plexus roster 1\n')

const signedList = z.object({ body: bytes(LIST_MAX_BYTES), signature: exactBytes(64) })
const listBody = z.object({
  issuer: deviceId,
  devices: list(
    z.object({
      id: deviceId,
      name: text(NAME_MAX_LENGTH),
      person: text(NAME_MAX_LENGTH),
      removedAt: z.nullable(whole()),
    }),
    LIST_MAX_DEVICES,
  ),
})

/** A device that was on this device's own list. */
export interface EarlierDevice {
  readonly id: DeviceId
  /** Empty: of the same person. */
  readonly person: string
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/**
 * What version 0.1 knew about who belongs. The ledger takes its place: devices of the
 * own list are admitted when they come, and the keeper of a list this device was on
 * is asked to admit it.
 */
export interface EarlierLists {
  /** The device, if this one's own list had it and had not removed it. */
  admitted(id: DeviceId): EarlierDevice | undefined
  /** The device on whose list this one was; undefined: none, or it has been settled. */
  keeper(): DeviceId | undefined
  /** Forgets the lists of others: this device is in a mesh of the new kind. Resolves when that is durable. */
  settle(options?: Cancellable): Promise<void>
}

/** Reads the lists, if there are any. One that cannot be read admits nobody and is left where it is. */
export async function loadEarlierLists(
  store: Store,
  self: DeviceId,
  log: Logger,
  options: Cancellable = {},
): Promise<EarlierLists> {
  const own = new Map<DeviceId, EarlierDevice>()
  const keepers = new Map<DeviceId, string>()
  for (const { key, value } of wholeRecords(await store.list(PREFIX, options), log)) {
    try {
      const { issuer, devices } = await openList(value)
      const active = devices.filter((device) => device.removedAt === null)
      if (issuer === self) {
        for (const { id, person } of active) if (id !== self) own.set(id, { id, person: cleanName(person) })
      } else if (active.some((device) => device.id === self)) keepers.set(issuer, key)
    } catch (error) {
      log.warn('a list of devices of version 0.1 could not be read', { key, error: asMeshError(error).message })
    }
  }
  return {
    admitted: (id) => own.get(id),
    keeper: () => keepers.keys().next().value,
    async settle(settleOptions = {}) {
      for (const key of keepers.values()) await store.delete(key, settleOptions)
      keepers.clear()
    },
  }
}

async function openList(stored: Uint8Array): Promise<z.output<typeof listBody>> {
  const bounds = { maxBytes: LIST_MAX_BYTES + 1_024, what: 'A list of devices' }
  const { body, signature } = decode(stored, signedList, bounds)
  const read = decode(body, listBody, bounds)
  const message = new Uint8Array(CONTEXT.byteLength + body.byteLength)
  message.set(CONTEXT)
  message.set(body, CONTEXT.byteLength)
  if (!(await verifyBy(read.issuer, message, signature)))
    throw new MeshError('integrity', 'It is not signed by the device it names as its issuer.')
  return read
}
