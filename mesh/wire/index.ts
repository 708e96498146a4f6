/**
 * Bytes and their meaning: bounded schemas and strict codecs for everything that
 * crosses a wire, a link or a disk. Pure; knows no protocol and no device.
 */
export { fromBase64url, fromHex, toBase64url, toHex } from './base64url.ts'
export { decode, encode } from './cbor.ts'
export {
  address,
  bytes,
  deviceId,
  entryHash,
  exactBytes,
  invitationId,
  list,
  meshId,
  modelId,
  personId,
  range,
  requestId,
  roomId,
  text,
  whole,
} from './schema.ts'
