import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import {
  asMeshError,
  FIRST_FRAME_TIMEOUT_MS,
  MeshError,
  type Clock,
  type DeviceId,
  type Logger,
  STRANGER_FRAME_MAX_BYTES,
  STRANGER_STREAMS_MAX,
} from '../base/index.ts'
import type { CallAction } from '../identity/index.ts'
import { accountOf, payForStream, type Account } from './budgets/index.ts'
import { frameStream, type FrameStream } from './stream.ts'

/** What a protocol is before it is bound to a device: enough to open a stream of it. */
export interface ProtocolShape {
  /** `/plexus/<name>/<version>` */
  readonly id: string
  readonly maxFrameBytes: number
  /** Streams one connection may have open, each way. */
  readonly maxStreams: number
}

/**
 * A protocol of the peer: one descriptor and one line in `protocols/index.ts`.
 * The registry refuses callers that may not call before a byte of theirs is decoded, and
 * lets nobody cost this device more than the budget of their role: a protocol inherits
 * both without code of its own.
 */
export interface Protocol extends ProtocolShape {
  /** The right a caller needs; `anyone` for what judges its callers itself. */
  readonly callers: 'anyone' | CallAction
  /**
   * `measured`: what is done for a caller from one of its frames to the next is at its cost, whatever it is.
   * `waits`: people or engines are waited for meanwhile, which have bounds of their own.
   */
  readonly handling: 'measured' | 'waits'
  /** Serves one stream. What it throws is told to the caller in an error frame. */
  handle(stream: FrameStream, options: { readonly connection: Connection; readonly signal: AbortSignal }): Promise<void>
}

/** Whom the registry lets in. */
export interface Gate {
  admitted(id: DeviceId): boolean
  mayCall(id: DeviceId, action: CallAction): boolean
  /** Why a device is not admitted, as a sentence with a code. */
  refusal(id: DeviceId): MeshError
}

interface Ports {
  readonly clock: Clock
  readonly log: Logger
}

/** Registers protocols with the node, each behind its bounds and its gate. */
export async function serveProtocols(
  node: Libp2p,
  protocols: readonly Protocol[],
  gate: Gate,
  ports: Ports,
): Promise<void> {
  for (const protocol of protocols) {
    const log = ports.log.child(protocol.id)
    await node.handle(
      protocol.id,
      (stream, connection) => serve(stream, connection, protocol, gate, { ...ports, log }),
      { maxInboundStreams: protocol.maxStreams, maxOutboundStreams: protocol.maxStreams, runOnLimitedConnection: true },
    )
  }
}

function serve(stream: Stream, connection: Connection, protocol: Protocol, gate: Gate, ports: Ports): Promise<void> {
  const account = accountOf(connection)
  if (account === undefined) return serveStream(stream, connection, protocol, gate, ports)
  const isStranger = !gate.admitted(connection.remotePeer.toString() as DeviceId)
  if (!payForStream(account, connection, stream)) return Promise.resolve()
  if (isStranger && account.openStreams >= STRANGER_STREAMS_MAX) {
    stream.abort(new MeshError('busy', 'A device that is not admitted has no more streams than this.'))
    return Promise.resolve()
  }
  account.openStreams += 1
  return serveStream(stream, connection, protocol, gate, ports, account).finally(() => {
    account.openStreams -= 1
  })
}

async function serveStream(
  stream: Stream,
  connection: Connection,
  protocol: Protocol,
  gate: Gate,
  ports: Ports,
  account?: Account,
): Promise<void> {
  const caller = connection.remotePeer.toString() as DeviceId
  const admitted = gate.admitted(caller)
  // a stranger's frames are bounded tighter than a member's
  const maxFrameBytes = admitted ? protocol.maxFrameBytes : Math.min(protocol.maxFrameBytes, STRANGER_FRAME_MAX_BYTES)
  const frames = frameStream(stream, caller, {
    clock: ports.clock,
    maxFrameBytes,
    account,
    isMeasured: protocol.handling === 'measured',
  })
  if (protocol.callers !== 'anyone' && !gate.mayCall(caller, protocol.callers)) {
    await frames.fail(
      admitted ? new MeshError('unauthorized', 'The role of this device does not allow it.') : gate.refusal(caller),
    )
    return
  }
  try {
    await account?.ready({ signal: frames.over })
    await protocol.handle(frames, { connection, signal: frames.over })
  } catch (error) {
    const known = asMeshError(error)
    if (known.code === 'bug') ports.log.error('a protocol failed', { error: known, caller })
    else ports.log.debug('a stream ended with an error', { code: known.code, caller })
    await frames.fail(known)
  }
}

/** Opens a stream of a protocol. @throws MeshError `peer-gone`, `unsupported`, `timeout`, `aborted` */
export async function openStream(
  connection: Connection,
  protocol: ProtocolShape,
  ports: Pick<Ports, 'clock'>,
  options: { readonly signal: AbortSignal },
): Promise<FrameStream> {
  const peer = connection.remotePeer.toString() as DeviceId
  try {
    const stream = await connection.newStream(protocol.id, {
      signal: options.signal,
      maxOutboundStreams: protocol.maxStreams,
      runOnLimitedConnection: true,
    })
    return frameStream(stream, peer, {
      clock: ports.clock,
      maxFrameBytes: protocol.maxFrameBytes,
      account: accountOf(connection),
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'UnsupportedProtocolError') {
      throw new MeshError('unsupported', 'The other device runs a version of Plexus that does not know this yet.', {
        cause: error,
      })
    }
    if (options.signal.aborted) throw asMeshError(options.signal.reason, 'aborted')
    throw new MeshError('peer-gone', 'The link to the other device was cut.', { cause: error })
  }
}

/** The time a caller has for its first frame. */
export const FIRST_FRAME = { timeoutMs: FIRST_FRAME_TIMEOUT_MS } as const
