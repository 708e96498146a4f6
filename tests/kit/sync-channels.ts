import { createEvents, createQueue, MeshError, type DeviceId } from '../../mesh/base/index.ts'
import type {
  ReaderChannel,
  ReaderFrame,
  SourceChannel,
  SourceFrame,
  SyncChannel,
  SyncHost,
} from '../../mesh/net/index.ts'
import { readerFrame, sourceFrame, SYNC } from '../../mesh/net/protocols/sync/messages.ts'
import type { SyncLinks } from '../../mesh/sync/index.ts'
import { encode } from '../../mesh/wire/index.ts'

/**
 * Links between devices without a network: frames arrive in order until they are cut. One
 * that the protocol does not take ends its stream, as it does on a wire.
 */
export interface ChannelNetwork {
  join(device: DeviceId, host: () => SyncHost): SyncLinks
  leave(device: DeviceId): void
  /** Only devices of one group are linked; streams between others are cut. Without groups all are. */
  partition(...groups: readonly (readonly DeviceId[])[]): void
  /** Cuts the streams between two devices; they are still linked. */
  cut(a: DeviceId, b: DeviceId): void
  /** Cuts every stream after so many more frames, whichever comes then. */
  cutAfter(frames: number): void
  /** Frames carried so far. */
  readonly frames: number
  /** Why frames were not taken. */
  readonly refused: readonly string[]
  /** Told each frame's bytes as they would be on a wire. */
  tap(listener: (from: DeviceId, to: DeviceId, bytes: Uint8Array) => void): void
}

interface Member {
  readonly host: () => SyncHost
  readonly changes: ReturnType<typeof createEvents<void>>
}

interface Pair {
  readonly ends: readonly [DeviceId, DeviceId]
  cut(): void
}

/** A network with nobody in it. */
export function createChannelNetwork(): ChannelNetwork {
  const members = new Map<DeviceId, Member>()
  const pairs = new Set<Pair>()
  const taps: ((from: DeviceId, to: DeviceId, bytes: Uint8Array) => void)[] = []
  let groups: readonly (readonly DeviceId[])[] | undefined
  const refused: string[] = []
  let frames = 0
  let framesLeft = Infinity

  const areLinked = (a: DeviceId, b: DeviceId): boolean =>
    a !== b &&
    members.has(a) &&
    members.has(b) &&
    (groups === undefined || groups.some((group) => group.includes(a) && group.includes(b)))

  const tellAll = (): void => {
    for (const pair of [...pairs]) if (!areLinked(...pair.ends)) pair.cut()
    for (const member of [...members.values()]) member.changes.emit()
  }

  const check = (frame: unknown, schema: typeof readerFrame | typeof sourceFrame): void => {
    const { error } = schema.safeParse(frame)
    const sizeBytes = encode(frame).byteLength
    if (error === undefined && sizeBytes <= SYNC.maxFrameBytes) return
    refused.push(error?.message ?? `${String(sizeBytes)} bytes`)
    throw new MeshError('malformed', 'The protocol takes no such frame.')
  }

  const carry = (from: DeviceId, to: DeviceId, frame: unknown): void => {
    frames += 1
    framesLeft -= 1
    if (framesLeft < 0) {
      framesLeft = Infinity
      for (const pair of [...pairs]) pair.cut()
      throw new MeshError('peer-gone', 'The link was cut.')
    }
    if (taps.length === 0) return
    const bytes = encode(frame)
    for (const tap of taps) tap(from, to, bytes)
  }

  const createPair = (reader: DeviceId, source: DeviceId): { near: ReaderChannel; far: SourceChannel } => {
    const toReader = createQueue<SourceFrame>(10_000)
    const toSource = createQueue<ReaderFrame>(10_000)
    const over = new AbortController()
    const gone = new MeshError('peer-gone', 'The link was cut.')
    const pair: Pair = {
      ends: [reader, source],
      cut() {
        if (!pairs.delete(pair)) return
        toReader.fail(gone)
        toSource.fail(gone)
        over.abort(gone)
      },
    }
    pairs.add(pair)
    const end = <In, Out>(
      self: DeviceId,
      peer: DeviceId,
      inbox: ReturnType<typeof createQueue<In>>,
      outbox: ReturnType<typeof createQueue<Out>>,
      schema: typeof readerFrame | typeof sourceFrame,
    ): SyncChannel<In, Out> => ({
      peer,
      over: over.signal,
      async read(options) {
        const frame = await inbox.next(options)
        if (frame === undefined) throw gone
        return frame
      },
      async write(frame) {
        if (over.signal.aborted) throw gone
        check(frame, schema)
        carry(self, peer, frame)
        if (!outbox.push(frame)) throw gone
      },
      abort: pair.cut,
      work: (run) => run(),
    })
    return {
      near: end(reader, source, toReader, toSource, readerFrame),
      far: end(source, reader, toSource, toReader, sourceFrame),
    }
  }

  return {
    refused,
    get frames() {
      return frames
    },
    tap(listener) {
      taps.push(listener)
    },
    join(device, host) {
      const changes = createEvents<void>((error) => {
        throw error
      })
      members.set(device, { host, changes })
      queueMicrotask(tellAll)
      return {
        changes,
        linked: () => [...members.keys()].filter((other) => areLinked(device, other)),
        async open(peer) {
          const host = members.get(peer)?.host
          if (host === undefined || !areLinked(device, peer)) throw new MeshError('peer-gone', 'Nobody is there.')
          const { near, far } = createPair(device, peer)
          host()
            .serve(far, { signal: far.over })
            .catch((error: unknown) => {
              far.abort(error)
            })
          return near
        },
      }
    },
    leave(device) {
      members.delete(device)
      tellAll()
    },
    partition(...cut) {
      groups = cut.length === 0 ? undefined : cut
      tellAll()
    },
    cut(a, b) {
      for (const pair of [...pairs]) if (pair.ends.includes(a) && pair.ends.includes(b)) pair.cut()
    },
    cutAfter(count) {
      framesLeft = count
    },
  }
}
