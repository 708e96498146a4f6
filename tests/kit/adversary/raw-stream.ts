import type { Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { MeshError } from '../../../mesh/base/index.ts'
import { decode, encode } from '../../../mesh/wire/index.ts'
import * as z from 'zod/mini'

/** A frame that was not looked at. */
export type AnyFrame = Readonly<Record<string, unknown>>

/** A stream without manners: frames, single bytes, and ears that may be closed. */
export interface RawStream {
  readonly stream: Stream
  readonly isOpen: boolean
  /** Sends a frame; waits while the link is full. */
  write(frame: unknown, signal?: AbortSignal): Promise<void>
  /** Sends bytes as they are; waits while the link is full. */
  bytes(data: Uint8Array, signal?: AbortSignal): Promise<void>
  /** The next frame. @throws MeshError with the code the other side told; when the stream ended */
  read(): Promise<AnyFrame>
  /** Reads no more: the window of the stream is not opened again. */
  deafen(): void
  /** Reads again. */
  listen(): void
}

const FRAME_MAX_BYTES = 4 * 1024 * 1024

/** Wraps a stream. */
export function rawStream(stream: Stream): RawStream {
  const frames = lpStream(stream, { maxDataLength: FRAME_MAX_BYTES })
  // libp2p's own onDrain waits once and never again
  const drained = (isFull: boolean, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (!isFull) {
        resolve()
        return
      }
      stream.addEventListener('drain', () => { resolve() }, { once: true }) // prettier-ignore
      stream.addEventListener('close', () => { reject(new MeshError('peer-gone', 'Cut.')) }, { once: true }) // prettier-ignore
      signal?.addEventListener('abort', () => { reject(new MeshError('aborted', 'Over.')) }, { once: true }) // prettier-ignore
    })
  return {
    stream,
    get isOpen() {
      return stream.status === 'open'
    },
    async write(frame, signal) {
      await frames.write(encode(frame), signal === undefined ? {} : { signal })
    },
    bytes: (data, signal) => drained(!stream.send(data), signal),
    async read() {
      const data = await frames.read({ signal: AbortSignal.timeout(10_000) })
      const frame = decode(data.subarray(), z.record(z.string(), z.unknown()), {
        maxBytes: FRAME_MAX_BYTES,
        what: 'An answer',
      })
      if (frame['type'] !== 'error') return frame
      const { code, message } = frame['error'] as { code: MeshError['code']; message: string }
      throw new MeshError(code, message)
    },
    deafen() {
      if (stream.readStatus === 'readable') stream.pause()
    },
    listen() {
      if (stream.readStatus === 'paused') stream.resume()
    },
  }
}
