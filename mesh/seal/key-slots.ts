import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import { isMeshError, KEY_SLOTS_MAX, KEY_SLOTS_MAX_BYTES, MeshError, messageOf, type Random } from '../base/index.ts'
import { bytes, decode, encode, exactBytes, list, text, toHex, whole } from '../wire/index.ts'
import { BOX_OVERHEAD_BYTES, SECRET_KEY_BYTES, secretKey, type SecretKey } from './aead.ts'
import { costSchema, passphraseToKey, SALT_BYTES, type PassphraseCost } from './passphrase.ts'

/** Bytes a passkey's PRF is asked with, and bytes it answers (WebAuthn Level 3 §10.1.4). */
export const PRF_BYTES = 32

const common = {
  /** 16 lower-case hex digits. */
  id: text(16).check(z.regex(/^[0-9a-f]{16}$/)),
  /** ms since 1970 */
  createdAt: whole(),
  /** The store key, sealed with what this slot opens with. */
  box: exactBytes(SECRET_KEY_BYTES + BOX_OVERHEAD_BYTES),
}

const slotSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('device'), ...common }),
  z.object({ kind: z.literal('passphrase'), ...common, ...costSchema }),
  z.object({
    kind: z.literal('passkey'),
    ...common,
    name: text(60),
    /** What the passkey is called by, and what its PRF is asked with. */
    credential: bytes(1_023),
    salt: exactBytes(PRF_BYTES),
  }),
])

/** One way to the store key. */
export type KeySlot = z.output<typeof slotSchema>

const slotsSchema = z.object({
  version: z.literal(1),
  /** False until nothing unsealed is left in the store, nor in its files. */
  isSealed: z.boolean(),
  slots: list(slotSchema, KEY_SLOTS_MAX).check(z.minLength(1)),
})

/** Every way to the store key, as one record: it is changed whole or not at all. */
export type KeySlots = z.output<typeof slotsSchema>

/** What opens a slot. `prf` is what the passkey's PRF answered to the salt of the slot. */
export type UnlockSecret =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'passkey'; readonly slot: string; readonly prf: Uint8Array }

/** As they are stored: with a sum, because a wrong bit in a box would look like a wrong passphrase. */
const storedSchema = z.extend(slotsSchema, { sum: z.optional(exactBytes(32)) })

/** The slots as they are stored. */
export function encodeKeySlots(slots: KeySlots): Uint8Array {
  return encode({ ...slots, sum: sha256(encode(slots)) })
}

/** @throws MeshError `storage-corrupt` for what is none, is damaged, or names a cost outside the bounds */
export function decodeKeySlots(stored: Uint8Array): KeySlots {
  try {
    const limits = { maxBytes: KEY_SLOTS_MAX_BYTES, what: 'The record of the locks' }
    // an earlier version kept it without one
    const { sum, ...slots } = decode(stored, storedSchema, limits)
    if (sum !== undefined && toHex(sum) !== toHex(sha256(encode(slots))))
      throw new MeshError('integrity', 'it is not what it was')
    return slots
  } catch (error) {
    throw new MeshError('storage-corrupt', `The locks of the stored data cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** A slot for a key that only this device has. */
export async function deviceSlot(storeKey: Uint8Array, key: SecretKey, ports: SlotPorts): Promise<KeySlot> {
  const head = { kind: 'device', ...beginning(ports) } as const
  return { ...head, box: await key.seal(storeKey, contextOf(head), ports.random) }
}

/** A slot for a passphrase. Its cost is kept with it. */
export async function passphraseSlot(
  storeKey: Uint8Array,
  passphrase: string,
  cost: PassphraseCost,
  ports: SlotPorts,
): Promise<KeySlot> {
  const salt = ports.random.bytes(SALT_BYTES)
  const { memoryKib, passes } = cost
  const head = { kind: 'passphrase', ...beginning(ports), salt, memoryKib, passes } as const
  const key = await secretKey(await passphraseToKey(passphrase, salt, cost))
  return { ...head, box: await key.seal(storeKey, contextOf(head), ports.random) }
}

/** A passkey that was asked with `salt` and answered `prf`. */
export interface PasskeyAnswer {
  readonly name: string
  readonly credential: Uint8Array
  readonly salt: Uint8Array
  readonly prf: Uint8Array
}

/** A slot for a passkey. */
export async function passkeySlot(storeKey: Uint8Array, answer: PasskeyAnswer, ports: SlotPorts): Promise<KeySlot> {
  const { name, credential, salt } = answer
  const head = { kind: 'passkey', ...beginning(ports), name, credential, salt } as const
  const key = await prfKey(answer.prf, salt)
  return { ...head, box: await key.seal(storeKey, contextOf(head), ports.random) }
}

/** The store key out of the device's own slot. @throws MeshError `integrity` */
export function openDeviceSlot(slot: KeySlot, key: SecretKey): Promise<Uint8Array> {
  return key.open(slot.box, contextOf(slot))
}

/** The store key, or undefined when no slot opens with this secret. */
export async function openSlots(slots: readonly KeySlot[], secret: UnlockSecret): Promise<Uint8Array | undefined> {
  for (const slot of slots) {
    const key = await keyFor(slot, secret)
    if (key === undefined) continue
    try {
      return await key.open(slot.box, contextOf(slot))
    } catch (error) {
      if (!isMeshError(error, 'integrity')) throw error
    }
  }
  return undefined
}

/** What a slot needs of the surroundings. */
export interface SlotPorts {
  readonly random: Random
  readonly nowMs: number
}

async function keyFor(slot: KeySlot, secret: UnlockSecret): Promise<SecretKey | undefined> {
  if (slot.kind === 'passphrase' && secret.kind === 'passphrase') {
    return secretKey(await passphraseToKey(secret.passphrase, slot.salt, slot))
  }
  if (slot.kind === 'passkey' && secret.kind === 'passkey' && slot.id === secret.slot) {
    return prfKey(secret.prf, slot.salt)
  }
  return undefined
}

/** The PRF is for any purpose of this site; HKDF (RFC 5869) makes it one for this. */
async function prfKey(prf: Uint8Array, salt: Uint8Array): Promise<SecretKey> {
  if (prf.byteLength !== PRF_BYTES) throw new MeshError('unsupported', 'This passkey gives no secret of 32 bytes.')
  const info = new TextEncoder().encode('plexus passkey lock v1')
  return secretKey(hkdf(sha256, prf, salt, info, SECRET_KEY_BYTES))
}

function beginning(ports: SlotPorts): { readonly id: string; readonly createdAt: number } {
  return { id: toHex(ports.random.bytes(8)), createdAt: ports.nowMs }
}

/** All of a slot but its box: nobody can give a box another kind, cost or passkey. */
function contextOf(slot: Omit<KeySlot, 'box'>): Uint8Array {
  return encode({ what: 'plexus key slot v1', ...slot, box: undefined })
}
