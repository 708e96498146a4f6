import type { Connection, Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import * as z from 'zod/mini'
import {
  abortReason,
  asMeshError,
  deadline,
  errorFromWire,
  errorToWire,
  isAbort,
  MeshError,
  WRITE_STALL_MS,
  type Clock,
  type DeviceId,
} from '../base/index.ts'
import { decode, encode, text } from '../wire/index.ts'
import type { Account, Piece } from './budgets/index.ts'
import { createFrameReader, lengthPrefix } from './frame-reader.ts'

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
  /**
   * Sends a frame and waits until the link has taken all of it. Whoever takes nothing for
   * {@link WRITE_STALL_MS} is cut.
   * @returns bytes sent. @throws MeshError `peer-gone`, `timeout`, `aborted`
   */
  write(frame: unknown, options?: { signal?: AbortSignal | undefined }): Promise<number>
  /** Tells the other side why, as far as it can still hear, and ends the stream. */
  fail(error: unknown): Promise<void>
  /** Ends this side; does not wait for the other (WebRTC may take 10 s for it). */
  close(): void
  /** Cuts the stream. */
  abort(reason: unknown): void
  /**
   * Does work for the other side at its cost: begins when its budget allows it, and the
   * time that the processor was at it is charged. @throws MeshError `aborted`, and as `run` does
   */
  work<Value>(run: () => Promise<Value>, options?: { signal?: AbortSignal | undefined }): Promise<Value>
}

/**
 * Wraps a stream. `maxFrameBytes` bounds what is read, before anything is decoded. With an
 * account frames are charged to whoever sent them, and read no faster than it allows.
 */
export function frameStream(
  stream: Stream,
  peer: DeviceId,
  options: {
    readonly clock: Clock
    readonly maxFrameBytes: number
    readonly account?: Account | undefined
    /** What is done from a frame on, until the next is read or something waits for the link, is work for the other side. */
    readonly isMeasured?: boolean
  },
): FrameStream {
  const { clock, maxFrameBytes, account, isMeasured = false } = options
  /** What the last frame makes this device do, and whether it is at it: it may wait meanwhile. */
  let handling: Piece | undefined
  let isHandling = false
  const rest = (): void => {
    handling?.stop()
    handling = undefined
  }
  const goOn = (): void => {
    if (isHandling) handling ??= account?.start()
  }
  const begin = (): void => {
    isHandling = isMeasured && !over.signal.aborted
    goOn()
  }
  const end = (): void => {
    isHandling = false
    rest()
  }
  const frames = createFrameReader(
    stream,
    maxFrameBytes,
    account?.hold((reason) => {
      abort(reason)
    }),
  )
  const over = new AbortController()
  stream.addEventListener(
    'close',
    (event) => {
      end()
      over.abort(new MeshError('peer-gone', 'The link to the other device was cut.', { cause: event.error }))
    },
    { once: true },
  )

  const failure = (error: unknown, signal: AbortSignal | undefined): MeshError => {
    if (error instanceof MeshError) return error
    if (signal?.aborted === true) return abortReason(signal)
    if (isAbort(error)) return asMeshError(error)
    return new MeshError('peer-gone', 'The link to the other device was cut.', { cause: error })
  }

  const write: FrameStream['write'] = async (frame, { signal } = {}) => {
    const data = encode(frame)
    try {
      stream.send(new Uint8ArrayList(lengthPrefix(data.byteLength), data))
      if (isFull(stream)) {
        rest()
        await taken(stream, clock, signal)
        goOn()
      }
    } catch (error) {
      const known = failure(error, signal)
      if (known.code === 'timeout') abort(known)
      throw known
    }
    return data.byteLength
  }

  const work: FrameStream['work'] = async (run, given = {}) => {
    if (account === undefined) return run()
    rest()
    if (account.waitMs() > 0) await account.ready(given)
    const piece = account.start()
    try {
      return await run()
    } finally {
      piece.stop()
      goOn()
    }
  }

  /** Waits until the sender may say more, takes a frame, and reads it at the sender's cost. */
  const take = async <Schema extends z.ZodMiniType>(
    schema: Schema,
    signal: AbortSignal | undefined,
  ): Promise<z.output<Schema>> => {
    end()
    if (account !== undefined && account.waitMs() > 0) await account.ready({ signal })
    const data = await frames.next({ signal })
    const startedAt = clock.monotonic()
    account?.charge({ frames: 1, bytes: account.isMetered ? 0 : data.byteLength })
    try {
      return read(data, schema, maxFrameBytes)
    } finally {
      account?.charge({ workMs: clock.monotonic() - startedAt })
      begin()
    }
  }

  const abort = (reason: unknown): void => {
    if (stream.status === 'open' || stream.status === 'closing') stream.abort(asMeshError(reason))
  }

  const close = (): void => {
    end()
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
    work,
    async read(schema, { signal, timeoutMs } = {}) {
      const limit =
        timeoutMs === undefined ? undefined : deadline(clock, timeoutMs, 'Waiting for the other device', signal)
      const inForce = limit?.signal ?? signal
      try {
        return await take(schema, inForce)
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

/** A frame, decoded and checked. @throws MeshError `malformed`, or what the other side tells in it */
function read<Schema extends z.ZodMiniType>(data: Uint8Array, schema: Schema, maxBytes: number): z.output<Schema> {
  const value = decode(data, z.union([errorFrame, z.unknown()]), { maxBytes, what: 'A frame' })
  const told = errorFrame.safeParse(value)
  if (told.success) throw errorFromWire(told.data.error)
  const checked = schema.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw new MeshError(
    'malformed',
    `A frame has a wrong field: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim(),
  )
}

/** Something that was sent waits here for the link. */
function isFull(stream: Stream): boolean {
  return stream.writeBufferLength > 0 || stream.writableNeedsDrain
}

/**
 * Resolves when the link has taken everything. libp2p says "drain" with every byte of
 * window that opens: who opened it byte by byte would have a frame piled up for each.
 */
async function taken(stream: Stream, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const limit = deadline(clock, WRITE_STALL_MS, 'Sending to the other device', signal)
  try {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (stream.writeStatus === 'closed')
          end(reject, new MeshError('peer-gone', 'The link to the other device was cut.'))
        else if (limit.signal.aborted) end(reject, abortReason(limit.signal))
        else if (!isFull(stream)) end(resolve)
      }
      // what comes after an event is done in a microtask of libp2p's
      const later = (): void => {
        void Promise.resolve().then(look)
      }
      const end = <Value>(settle: (value: Value) => void, value?: Value): void => {
        for (const event of WRITE_EVENTS) stream.removeEventListener(event, later)
        limit.signal.removeEventListener('abort', look)
        settle(value as Value)
      }
      for (const event of WRITE_EVENTS) stream.addEventListener(event, later)
      limit.signal.addEventListener('abort', look, { once: true })
      look()
    })
  } finally {
    limit.clear()
  }
}

const WRITE_EVENTS = ['drain', 'idle', 'close'] as const

/** True when a connection runs through a relay all the way, not only for its set-up. */
export function isRelayed(connection: Connection): boolean {
  return connection.limits !== undefined || /\/p2p-circuit(?!.*\/webrtc)/.test(connection.remoteAddr.toString())
}
