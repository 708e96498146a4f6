import { isIPv4 } from 'node:net'

// RFC 8489: header of 20 bytes, attributes of type, length and padded value.
const HEADER_BYTES = 20
const MAGIC_COOKIE = 0x2112a442
const BINDING_REQUEST = 0x0001
const BINDING_SUCCESS = 0x0101
const BINDING_ERROR = 0x0111
const XOR_MAPPED_ADDRESS = 0x0020
const ERROR_CODE = 0x0009
const UNKNOWN_ATTRIBUTES = 0x000a
const FAMILY_IPV4 = 0x01
/** Attributes from here on may be ignored by who does not know them (15). */
const OPTIONAL_FROM = 0x8000
/** "Unknown Attribute" (14.8): class 4, number 20. */
const UNKNOWN_ATTRIBUTE = [4, 20] as const

/** Largest request that is looked at, in bytes: one packet of any network. */
const REQUEST_MAX_BYTES = 548

/** A binding request, as far as it is of interest. */
interface Request {
  /** Cookie and transaction id, to be sent back as they came. */
  readonly transaction: Buffer
  /** Attributes that must be understood, and are not. */
  readonly unknown: readonly number[]
}

/**
 * The answer to a packet, or undefined for everything that is no binding request. At
 * most twice as long as the packet, so that nobody sends floods by our hand; and always
 * about the sender, because an attribute that asks for another receiver is unknown here.
 */
export function answerTo(packet: Uint8Array, sender: { address: string; port: number }): Buffer | undefined {
  const request = parse(Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength))
  if (request === undefined || !isIPv4(sender.address)) return undefined
  return request.unknown.length > 0
    ? refusal(request, packet.byteLength)
    : message(BINDING_SUCCESS, request, attribute(XOR_MAPPED_ADDRESS, mappedAddress(sender)))
}

function parse(packet: Buffer): Request | undefined {
  if (packet.length < HEADER_BYTES || packet.length > REQUEST_MAX_BYTES) return undefined
  const isRequest =
    packet.readUInt16BE(0) === BINDING_REQUEST &&
    packet.readUInt16BE(2) === packet.length - HEADER_BYTES &&
    packet.length % 4 === 0 &&
    packet.readUInt32BE(4) === MAGIC_COOKIE
  if (!isRequest) return undefined
  const unknown = unknownAttributes(packet)
  return unknown === undefined ? undefined : { transaction: packet.subarray(4, HEADER_BYTES), unknown }
}

/** Undefined when the attributes do not fill the packet exactly. */
function unknownAttributes(packet: Buffer): number[] | undefined {
  const unknown: number[] = []
  let at = HEADER_BYTES
  while (at < packet.length) {
    const type = packet.readUInt16BE(at)
    at += 4 + Math.ceil(packet.readUInt16BE(at + 2) / 4) * 4
    if (type < OPTIONAL_FROM) unknown.push(type)
  }
  return at === packet.length ? unknown : undefined
}

/** 420 with the types that were not understood, as many as the size allows. */
function refusal(request: Request, requestBytes: number): Buffer {
  const error = attribute(ERROR_CODE, Buffer.from([0, 0, ...UNKNOWN_ATTRIBUTE]))
  const room = 2 * requestBytes - HEADER_BYTES - error.length - 4
  const named = request.unknown.slice(0, Math.max(0, Math.floor(room / 4) * 2))
  const types = Buffer.alloc(named.length * 2)
  for (const [index, type] of named.entries()) types.writeUInt16BE(type, index * 2)
  return message(BINDING_ERROR, request, Buffer.concat([error, attribute(UNKNOWN_ATTRIBUTES, types)]))
}

function mappedAddress({ address, port }: { address: string; port: number }): Buffer {
  const value = Buffer.alloc(8)
  value.writeUInt8(FAMILY_IPV4, 1)
  value.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 2)
  const plain = Buffer.from(address.split('.').map(Number)).readUInt32BE(0)
  value.writeUInt32BE((plain ^ MAGIC_COOKIE) >>> 0, 4)
  return value
}

function attribute(type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4)
  padded.writeUInt16BE(type, 0)
  padded.writeUInt16BE(value.length, 2)
  value.copy(padded, 4)
  return padded
}

function message(type: number, request: Request, attributes: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(attributes.length, 2)
  return Buffer.concat([head, request.transaction, attributes])
}
