import type { Connection } from '@libp2p/interface'
import type { Clock, DeviceId } from '../../../base/index.ts'
import { openStream, type Protocol } from '../../protocol.ts'
import type { FrameStream } from '../../stream.ts'
import { readerFrame, sourceFrame, SYNC, type ReaderFrame, type SourceFrame } from './messages.ts'

/** One end of a stream of documents: frames in, frames out, and who is at the other end. */
export interface SyncChannel<In, Out> {
  /** Proven by the link. */
  readonly peer: DeviceId
  /** Aborted when the stream is over, for whatever reason. */
  readonly over: AbortSignal
  /** @throws MeshError as `FrameStream.read` */
  read(options?: { signal?: AbortSignal | undefined }): Promise<In>
  /** Waits while the link is full. @throws MeshError as `FrameStream.write` */
  write(frame: Out, options?: { signal?: AbortSignal | undefined }): Promise<void>
  abort(reason: unknown): void
  /** Does work at the cost of the other end, when its budget allows. @throws MeshError as `FrameStream.work` */
  work<Value>(run: () => Promise<Value>, options?: { signal?: AbortSignal | undefined }): Promise<Value>
}

/** The end that gives. */
export type SourceChannel = SyncChannel<ReaderFrame, SourceFrame>
/** The end that takes. */
export type ReaderChannel = SyncChannel<SourceFrame, ReaderFrame>

/** What serves documents; mesh/sync is it. */
export interface SyncHost {
  /** Serves one stream until it is over. What it throws is told to the other device. */
  serve(channel: SourceChannel, options: { readonly signal: AbortSignal }): Promise<void>
}

/** Admitted devices may take documents; which of them is the host's to say. */
export function syncProtocol(host: SyncHost): Protocol {
  return {
    ...SYNC,
    callers: 'store',
    handling: 'measured',
    handle: (stream, { signal }) => host.serve(channelOf(stream, readerFrame), { signal }),
  }
}

/** Opens a stream to take documents from a device. @throws MeshError as `openStream` */
export async function openSync(
  connection: Connection,
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<ReaderChannel> {
  return channelOf(await openStream(connection, SYNC, ports, options), sourceFrame)
}

function channelOf<Schema extends typeof readerFrame | typeof sourceFrame, Out>(
  stream: FrameStream,
  schema: Schema,
): SyncChannel<ReturnType<Schema['parse']>, Out> {
  return {
    peer: stream.peer,
    over: stream.over,
    read: (options) => stream.read(schema, options) as Promise<ReturnType<Schema['parse']>>,
    async write(frame, options) {
      await stream.write(frame, options)
    },
    abort: (reason) => {
      stream.abort(reason)
    },
    work: stream.work,
  }
}
