import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import {
  CONNECTION_UNSENT_MAX_BYTES,
  LIBRARY_STREAM_MAX_BYTES,
  MeshError,
  STREAM_UNSENT_MAX_BYTES,
  STREAM_WINDOW_MAX_BYTES,
  STREAMS_MAX,
  STREAMS_UNNAMED_MAX,
  UNNAMED_STREAM_MAX_BYTES,
} from '../base/index.ts'

/** A stream of a muxer as far as it is watched here. */
interface Watched {
  readonly protocol: string
  readonly direction: string
  onData(data: { readonly byteLength: number }): void
  abort(error: Error): void
}

/** What a muxer of libp2p has beside its interface. */
interface Muxer {
  readonly streams: readonly Watched[]
  onRemoteStream(stream: Watched): void
}

/** libp2p's own protocols that have no bound on what one stream carries. */
const LIBRARY_PROTOCOL = /^\/ipfs\/(?:id|id\/push|ping)\//

/**
 * Yamux with bounds where the library has none: streams that name no protocol, bytes that
 * wait to be sent to somebody who does not read, and frames that declare more than any
 * window holds (the library gathers them whole before it looks).
 */
export function boundedYamux(): () => StreamMuxerFactory {
  const make = yamux({
    maxInboundStreams: STREAMS_MAX,
    maxOutboundStreams: STREAMS_MAX,
    streamOptions: {
      maxStreamWindowSize: STREAM_WINDOW_MAX_BYTES,
      maxWriteBufferLength: STREAM_UNSENT_MAX_BYTES,
    },
  }) as () => StreamMuxerFactory
  return () => {
    const factory = make()
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        connection.maxWriteBufferLength = CONNECTION_UNSENT_MAX_BYTES
        watchLengths(connection)
        const muxer = factory.createStreamMuxer(connection)
        watchStreams(muxer as StreamMuxer & Muxer)
        return muxer
      },
    }
  }
}

/** Cuts a connection on which a frame declares more than a window. Sees the bytes before the muxer does. */
function watchLengths(connection: MessageStream): void {
  const follow = followLengths(STREAM_WINDOW_MAX_BYTES)
  connection.addEventListener('message', ({ data }) => {
    for (const part of data instanceof Uint8Array ? [data] : data)
      if (!follow(part)) {
        connection.abort(new MeshError('too-large', 'The other device declared a frame larger than any window.'))
        return
      }
  })
}

const HEADER_BYTES = 12
const DATA_FRAME = 0

/** Follows the headers of Yamux through a sequence of chunks; false as soon as one declares more data than allowed. */
export function followLengths(maxBytes: number): (chunk: Uint8Array) => boolean {
  const header = new Uint8Array(HEADER_BYTES)
  let gathered = 0
  let body = 0
  return (chunk) => {
    let at = 0
    while (at < chunk.byteLength) {
      if (body > 0) {
        const skipped = Math.min(body, chunk.byteLength - at)
        body -= skipped
        at += skipped
        continue
      }
      const taken = Math.min(HEADER_BYTES - gathered, chunk.byteLength - at)
      header.set(chunk.subarray(at, at + taken), gathered)
      gathered += taken
      at += taken
      if (gathered < HEADER_BYTES) break
      gathered = 0
      if (header[1] !== DATA_FRAME) continue
      body = new DataView(header.buffer).getUint32(8)
      if (body > maxBytes) return false
    }
    return true
  }
}

/** Bounds what comes on a stream before it has a protocol, and on those of the library. */
function watchStreams(muxer: Muxer): void {
  const take = muxer.onRemoteStream.bind(muxer)
  muxer.onRemoteStream = (stream): void => {
    const unnamed = muxer.streams.filter((one) => one.direction === 'inbound' && one.protocol === '').length
    boundData(stream)
    take(stream)
    if (unnamed >= STREAMS_UNNAMED_MAX) stream.abort(new MeshError('busy', 'Too many streams without a protocol.'))
  }
}

function boundData(stream: Watched): void {
  const take = stream.onData.bind(stream)
  let bytes = 0
  stream.onData = (data): void => {
    bytes += data.byteLength
    const isUnnamed = stream.protocol === ''
    const isOver =
      (isUnnamed && bytes > UNNAMED_STREAM_MAX_BYTES) ||
      (bytes > LIBRARY_STREAM_MAX_BYTES && LIBRARY_PROTOCOL.test(stream.protocol))
    if (isOver) stream.abort(new MeshError('too-large', 'More came on this stream than its protocol needs.'))
    else take(data)
  }
}
