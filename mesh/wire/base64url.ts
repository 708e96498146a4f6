import { base64url } from 'multiformats/bases/base64'
import { MeshError } from '../base/index.ts'

/** Bytes as base64url without padding (RFC 4648 §5). */
export function toBase64url(bytes: Uint8Array): string {
  return base64url.baseEncode(bytes)
}

/** @throws MeshError `malformed` */
export function fromBase64url(text: string): Uint8Array {
  try {
    return base64url.baseDecode(text)
  } catch (error) {
    throw new MeshError('malformed', 'This is not base64url text.', { cause: error })
  }
}

/** Bytes as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return hex
}

/** @throws MeshError `malformed` */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new MeshError('malformed', 'This is not hex text.')
  const bytes = new Uint8Array(text.length / 2)
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16)
  return bytes
}
