import type { Connection, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import * as z from 'zod/mini'
import {
  abortReason,
  asMeshError,
  deadline,
  errorFromWire,
  errorToWire,
  isAbort,
  MeshError,
  type Clock,
  type DeviceId,
} from '../base/index.ts'
import { decode, encode, text } from '../wire/index.ts'

const errorFrame = z.object({
  type: z.literal('error'),
  error: z.object({
    code: text(40),
    message: text(400),
    detail: z.optional(z.record(text(40), z.union([text(400), z.number(), z.boolean()]))),
  }),
})

/** Length-prefixed DAG-CBOR frames over one libp2p stream. One reader at a time. */
export interface FrameStream {
  readonly peer: DeviceId
  /** Aborted as soon as the stream is over, for whatever reason. */
  readonly over: AbortSignal
  /**
   * The next frame. @throws MeshError the error the other side told, `malformed`,
   * `too-large`, `timeout`, `aborted`, or `peer-gone` when the stream ended without an end frame.
   */
  read<Schema extends z.ZodMiniType>(
    schema: Schema,
    options?: { signal?: AbortSignal | undefined; timeoutMs?: number },
  ): Promise<z.output<Schema>>
  /** Sends a frame and waits while the link is full. @returns bytes sent. @throws MeshError `peer-gone`, `aborted` */
  write(frame: unknown, options?: { signal?: AbortSignal | undefined }): Promise<number>
  /** Tells the other side why, as far as it can still hear, and ends the stream. */
  fail(error: unknown): Promise<void>
  /** Ends this side; does not wait for the other (WebRTC may take 10 s for it). */
  close(): void
  /** Cuts the stream. */
  abort(reason: unknown): void
}

/** Wraps a stream. `maxFrameBytes` bounds what is read, before anything is decoded. */
export function frameStream(
  stream: Stream,
  peer: DeviceId,
  options: { readonly clock: Clock; readonly maxFrameBytes: number },
): FrameStream {
  const { clock, maxFrameBytes } = options
  const frames = lpStream(stream, { maxDataLength: maxFrameBytes, maxLengthLength: 4 })
  const over = new AbortController()
  stream.addEventListener(
    'close',
    (event) => {
      over.abort(new MeshError('peer-gone', 'The link to the other device was cut.', { cause: event.error }))
    },
    { once: true },
  )

  const failure = (error: unknown, signal: AbortSignal | undefined): MeshError => {
    if (error instanceof MeshError) return error
    if (signal?.aborted === true) return abortReason(signal)
    if (isAbort(error)) return asMeshError(error)
    const name = error instanceof Error ? error.name : ''
    if (name === 'InvalidDataLengthError' || name === 'InvalidDataLengthLengthError') {
      return new MeshError('too-large', `The other device sent a frame of more than ${String(maxFrameBytes)} bytes.`, {
        cause: error,
        fault: 'peer',
      })
    }
    return new MeshError('peer-gone', 'The link to the other device was cut.', { cause: error })
  }

  const write: FrameStream['write'] = async (frame, { signal } = {}) => {
    const data = encode(frame)
    try {
      await frames.write(data, signal === undefined ? {} : { signal })
    } catch (error) {
      throw failure(error, signal)
    }
    return data.byteLength
  }

  const abort = (reason: unknown): void => {
    if (stream.status === 'open' || stream.status === 'closing') stream.abort(asMeshError(reason))
  }

  const close = (): void => {
    stream.close().catch((error: unknown) => {
      abort(error)
    })
  }

  return {
    peer,
    over: over.signal,
    write,
    abort,
    close,
    async read(schema, { signal, timeoutMs } = {}) {
      const limit =
        timeoutMs === undefined ? undefined : deadline(clock, timeoutMs, 'Waiting for the other device', signal)
      const inForce = limit?.signal ?? signal
      try {
        const data = await frames.read(inForce === undefined ? {} : { signal: inForce })
        const value = decode(data.subarray(), z.union([errorFrame, z.unknown()]), {
          maxBytes: maxFrameBytes,
          what: 'A frame',
        })
        const told = errorFrame.safeParse(value)
        if (told.success) throw errorFromWire(told.data.error)
        const checked = schema.safeParse(value)
        if (checked.success) return checked.data
        const [issue] = checked.error.issues
        throw new MeshError(
          'malformed',
          `A frame has a wrong field: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim(),
        )
      } catch (error) {
        throw failure(error, inForce)
      } finally {
        limit?.clear()
      }
    },
    async fail(error) {
      if (stream.status !== 'open') return
      const limit = deadline(clock, 1_000, 'Telling the other device why')
      try {
        await write({ type: 'error', error: errorToWire(error) }, { signal: limit.signal })
        close()
      } catch (writeError) {
        abort(writeError)
      } finally {
        limit.clear()
      }
    },
  }
}

/** True when a connection runs through a relay all the way, not only for its set-up. */
export function isRelayed(connection: Connection): boolean {
  return connection.limits !== undefined || /\/p2p-circuit(?!.*\/webrtc)/.test(connection.remoteAddr.toString())
}
