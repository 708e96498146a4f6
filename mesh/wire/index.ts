/**
 * Bytes and their meaning: bounded schemas and strict codecs for everything that
 * crosses a wire, a link or a disk. Pure; knows no protocol and no device.
 */
export { fromBase64url, toBase64url, toHex } from './base64url.ts'
export { decode, encode } from './cbor.ts'
export {
  address,
  bytes,
  deviceId,
  exactBytes,
  invitationId,
  list,
  modelId,
  range,
  requestId,
  text,
  whole,
} from './schema.ts'
