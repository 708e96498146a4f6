import * as Y from 'yjs'
import { MeshError, messageOf } from '../base/index.ts'
import type { DecodedStruct, DecodedUpdate } from './decoder.ts'

/** Some clocks of a chain: from the first, so many. */
export interface ClockRange {
  readonly chain: number
  readonly clock: number
  readonly count: number
}

/** One entry of a root map. */
export interface UpdateEntry {
  readonly key: string
  readonly bytes: Uint8Array
}

// the V1 format of Yjs 13: a content of one byte string, and the bit that says a key of a map follows
const CONTENT_BINARY = 3
const HAS_KEY = 0b0010_0000
const GC_STRUCT = 0

/**
 * A Yjs update (V1) that adds entries to a root map, from a clock of a chain on.
 * Entries never have the same key as others, so that none replaces another.
 */
export function encodeEntries(root: string, chain: number, from: number, entries: readonly UpdateEntry[]): Uint8Array {
  const encoder = new Y.UpdateEncoderV1()
  encoder.writeLen(entries.length === 0 ? 0 : 1)
  if (entries.length > 0) {
    encoder.writeLen(entries.length)
    encoder.writeClient(chain)
    encoder.writeLen(from)
  }
  for (const { key, bytes } of entries) {
    encoder.writeInfo(CONTENT_BINARY | HAS_KEY)
    encoder.writeParentInfo(true)
    encoder.writeString(root)
    encoder.writeString(key)
    encoder.writeBuf(bytes)
  }
  encoder.writeLen(0)
  return encoder.toUint8Array()
}

/** An update that says some clocks of a chain are gone for good. */
export function encodeGap({ chain, clock, count }: ClockRange): Uint8Array {
  const encoder = new Y.UpdateEncoderV1()
  encoder.writeLen(1)
  encoder.writeLen(1)
  encoder.writeClient(chain)
  encoder.writeLen(clock)
  encoder.writeInfo(GC_STRUCT)
  encoder.writeLen(count)
  encoder.writeLen(0)
  return encoder.toUint8Array()
}

/** An update that deletes. */
export function encodeDeletes(ranges: readonly ClockRange[]): Uint8Array {
  const encoder = new Y.UpdateEncoderV1()
  const byChain = new Map<number, ClockRange[]>()
  for (const range of ranges) byChain.set(range.chain, [...(byChain.get(range.chain) ?? []), range])
  encoder.writeLen(0)
  encoder.writeLen(byChain.size)
  for (const [chain, own] of byChain) {
    encoder.writeLen(chain)
    encoder.writeLen(own.length)
    for (const { clock, count } of own) {
      encoder.writeDsClock(clock)
      encoder.writeDsLen(count)
    }
  }
  return encoder.toUint8Array()
}

/**
 * What a foreign update (V1) says. May take long and much memory for a hostile one:
 * runs in the decoder's worker alone.
 * @throws MeshError `malformed`
 */
export function decodeUpdate(update: Uint8Array): DecodedUpdate {
  let decoded: ReturnType<typeof Y.decodeUpdate>
  try {
    decoded = Y.decodeUpdate(update)
  } catch (error) {
    throw new MeshError('malformed', `This is not an update: ${messageOf(error)}`, { cause: error })
  }
  let deletes = 0
  for (const ranges of decoded.ds.clients.values()) deletes += ranges.length
  return { structs: decoded.structs.map(describe), deletes }
}

function describe(struct: Y.Item | Y.GC | Y.Skip): DecodedStruct {
  const { id, length } = struct
  return { chain: id.client, clock: id.clock, length, entry: struct instanceof Y.Item ? entryOf(struct) : undefined }
}

function entryOf(item: Y.Item): DecodedStruct['entry'] {
  // an update that was not applied yet holds the root's name where its type will be
  const root: unknown = item.parent
  if (typeof root !== 'string' || item.parentSub === null || item.origin !== null || item.rightOrigin !== null) return
  if (!(item.content instanceof Y.ContentBinary)) return
  return { root, key: item.parentSub, bytes: item.content.content }
}

/**
 * A first look at a foreign update, in a microsecond: one chain, the expected clock,
 * as many structs as told. Keeps absurd declarations from the decoder.
 * @throws MeshError `malformed`
 */
export function scanUpdate(update: Uint8Array, expected: ClockRange): void {
  const numbers = varUints(update, 4)
  const [chains, structs, chain, clock] = numbers
  const fits =
    expected.count === 0
      ? chains === 0
      : chains === 1 && structs === expected.count && chain === expected.chain && clock === expected.clock
  if (!fits || expected.count > update.byteLength)
    throw new MeshError('malformed', 'An update holds something else than its envelope says.')
}

function varUints(bytes: Uint8Array, count: number): number[] {
  const numbers: number[] = []
  let value = 0
  let factor = 1
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor
    factor *= 128
    if (byte >= 0x80) {
      if (factor > Number.MAX_SAFE_INTEGER) break
      continue
    }
    numbers.push(value)
    if (numbers.length === count) break
    value = 0
    factor = 1
  }
  return numbers
}
