import { createHmac } from 'node:crypto'
import type { DeviceId } from '../../mesh/base/index.ts'

/** How long a tag is used, in ms: one hour. Who was not there before and after sees two strangers. */
export const TAG_PERIOD_MS = 60 * 60_000

/** 80 bits: no two meshes of one network meet by chance, and a guess is hopeless. */
const TAG_BYTES = 10
/** 64 bits, over the few devices of one mesh. */
const MARK_BYTES = 8
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** The number of the period a moment is in. */
export function periodAt(nowMs: number): number {
  return Math.floor(nowMs / TAG_PERIOD_MS)
}

/** The service a mesh uses in a period: noise to everybody who lacks its key. */
export function serviceOf(key: Uint8Array, period: number): string {
  return `_${base32(digest(key, `service ${String(period)}`).subarray(0, TAG_BYTES))}._udp.local`
}

/** What stands for a device in a period: its id is for its mesh alone. */
export function markOf(key: Uint8Array, period: number, device: DeviceId): string {
  return digest(key, `device ${String(period)} ${device}`)
    .subarray(0, MARK_BYTES)
    .toString('hex')
}

function digest(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(`plexus mdns ${text}`).digest()
}

/** RFC 4648, section 6, in lower case: DNS does not tell cases apart. */
function base32(bytes: Uint8Array): string {
  let bits = 0
  let value = 0
  let text = ''
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += ALPHABET[(value >>> (bits - 5)) & 31] ?? ''
    value &= 0xff
  }
  return text
}
