import { MeshError, throwIfAborted } from '../../mesh/base/index.ts'

/** Bytes that can be read at any place: an open file, or memory in tests. */
export interface ByteSource {
  readonly sizeBytes: number
  /** Exactly `length` bytes at `position`, or fewer only at the end. */
  read(position: number, length: number): Promise<Uint8Array>
}

/** How much is read ahead at a time. */
const CHUNK_BYTES = 256 * 1024

/** Reads little-endian values one after another and never past a limit. */
export interface ByteCursor {
  /** Bytes read so far. */
  position(): number
  u8(): Promise<number>
  u32(): Promise<number>
  i32(): Promise<number>
  /** A 64-bit unsigned count that must be a safe integer. @throws MeshError `too-large`. */
  u64(what: string): Promise<number>
  bytes(length: number): Promise<Uint8Array>
  skip(length: number): Promise<void>
  view(length: number): Promise<DataView>
}

/**
 * A cursor over the first `limitBytes` of a source.
 * @throws MeshError `malformed` when the source ends too early, `too-large` past the limit.
 */
export function createByteCursor(source: ByteSource, limitBytes: number, signal: AbortSignal | undefined): ByteCursor {
  let chunk: Uint8Array = new Uint8Array(0)
  let chunkStart = 0
  let at = 0

  const ensure = async (length: number): Promise<number> => {
    const end = at + length
    if (end > source.sizeBytes) {
      throw new MeshError(
        'malformed',
        'The model file ends in the middle of its header; it is damaged or not complete.',
        {
          detail: { neededBytes: end, gotBytes: source.sizeBytes },
        },
      )
    }
    if (end > limitBytes) {
      throw new MeshError('too-large', `The header of the model file is larger than ${String(limitBytes)} bytes.`, {
        detail: { maxBytes: limitBytes },
      })
    }
    if (at >= chunkStart && end <= chunkStart + chunk.byteLength) return at - chunkStart
    throwIfAborted(signal)
    chunk = await source.read(at, Math.min(Math.max(length, CHUNK_BYTES), source.sizeBytes - at))
    chunkStart = at
    if (chunk.byteLength < length) {
      throw new MeshError('malformed', 'The model file became shorter while it was read.')
    }
    return 0
  }

  const view = async (length: number): Promise<DataView> => {
    const offset = await ensure(length)
    at += length
    return new DataView(chunk.buffer, chunk.byteOffset + offset, length)
  }

  return {
    position: () => at,
    view,
    u8: async () => (await view(1)).getUint8(0),
    u32: async () => (await view(4)).getUint32(0, true),
    i32: async () => (await view(4)).getInt32(0, true),
    async u64(what) {
      const value = (await view(8)).getBigUint64(0, true)
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new MeshError('too-large', `The model file claims an impossible ${what}.`)
      }
      return Number(value)
    },
    async bytes(length) {
      const offset = await ensure(length)
      at += length
      return chunk.slice(offset, offset + length)
    },
    async skip(length) {
      // Checked like a read, so that a lying length cannot move past the end or the limit.
      const end = at + length
      if (end <= source.sizeBytes && end <= limitBytes) at = end
      else await ensure(length)
    },
  }
}
