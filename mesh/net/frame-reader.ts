import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { abortReason, MeshError } from '../base/index.ts'
import type { Holding } from './budgets/index.ts'

/** Frames as they come in, each behind its length. One reader at a time. */
export interface FrameReader {
  /**
   * The bytes of the next frame. A length that is declared reserves nothing.
   * @throws MeshError `too-large`, `peer-gone` when the stream ended before, the reason of the signal
   */
  next(options: { readonly signal?: AbortSignal | undefined }): Promise<Uint8Array>
}

/** Bytes taken before somebody asks for them; beyond, the sender is told to wait. */
const AHEAD_MAX_BYTES = 64 * 1024
/** A length is a varint of at most this many bytes. */
const LENGTH_MAX_BYTES = 4

/**
 * Reads a stream no faster than its frames are taken: libp2p's own reader takes 4 MiB
 * of each stream without asking whether anybody reads, and then resets it.
 */
export function createFrameReader(stream: Stream, maxFrameBytes: number, holding?: Holding): FrameReader {
  const buffer = new Uint8ArrayList()
  let end: Error | undefined
  let wanted = 0
  let wake = (): void => {}

  const isOver = (): boolean =>
    end !== undefined || (stream.remoteWriteStatus !== 'writable' && stream.readBufferLength === 0)
  const pauseWhenFull = (): void => {
    if (buffer.byteLength > Math.max(AHEAD_MAX_BYTES, wanted) && stream.readStatus === 'readable') stream.pause()
  }
  /** True when there was something to take. */
  const resume = (): boolean => {
    if (stream.readStatus !== 'paused') return false
    const before = buffer.byteLength
    try {
      stream.resume()
    } catch {
      // its connection is gone: what had come is here, the sender hears no more
    }
    return buffer.byteLength > before
  }

  stream.addEventListener('message', ({ data }) => {
    buffer.append(data)
    holding?.set(buffer.byteLength)
    pauseWhenFull()
    if (buffer.byteLength >= wanted) wake()
  })
  stream.addEventListener('remoteCloseWrite', () => {
    wake()
  })
  stream.addEventListener('close', ({ error }) => {
    end = error ?? new MeshError('peer-gone', 'The link to the other device was cut.')
    holding?.set(0)
    wake()
  })

  /** Length and place of the frame in front; undefined while its length is not there. */
  const front = (): { readonly at: number; readonly length: number } | undefined => {
    let length = 0
    for (let at = 0; at < LENGTH_MAX_BYTES && at < buffer.byteLength; at++) {
      const byte = buffer.get(at)
      length += (byte & 0x7f) * 2 ** (7 * at)
      if (length > maxFrameBytes) throw tooLarge(maxFrameBytes)
      if (byte < 0x80) return { at: at + 1, length }
    }
    if (buffer.byteLength >= LENGTH_MAX_BYTES) throw tooLarge(maxFrameBytes)
    return undefined
  }

  /** Resolves when there is more, the stream has ended, or the signal aborts. */
  const more = async (bytes: number, signal: AbortSignal | undefined): Promise<void> => {
    const woken = new Promise<void>((resolve) => {
      wake = resolve
    })
    wanted = bytes
    const onAbort = (): void => {
      wake()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      resume()
      if (buffer.byteLength < bytes && !isOver()) await woken
    } finally {
      wanted = 0
      wake = (): void => {}
      signal?.removeEventListener('abort', onAbort)
    }
    if (signal?.aborted === true) throw abortReason(signal)
  }

  return {
    async next({ signal }) {
      for (;;) {
        if (signal?.aborted === true) throw abortReason(signal)
        const frame = front()
        const needed = frame === undefined ? buffer.byteLength + 1 : frame.at + frame.length
        if (frame !== undefined && buffer.byteLength >= needed) {
          const data = buffer.subarray(frame.at, needed)
          buffer.consume(needed)
          holding?.set(buffer.byteLength)
          return data
        }
        // what had come before the end is still worth reading
        if (isOver() && resume()) continue
        if (isOver()) throw new MeshError('peer-gone', 'The link to the other device was cut.', { cause: end })
        await more(needed, signal)
      }
    },
  }
}

/** What stands before a frame: its length as a varint. */
export function lengthPrefix(length: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

function tooLarge(maxFrameBytes: number): MeshError {
  return new MeshError('too-large', `The other device sent a frame of more than ${String(maxFrameBytes)} bytes.`, {
    fault: 'peer',
  })
}
