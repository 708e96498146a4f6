import type { Connection } from '@libp2p/interface'
import {
  asMeshError,
  CONTROL_STALL_MS,
  CONTROL_UNSENT_MAX_BYTES,
  DIAL_TIMEOUT_MS,
  HEARTBEAT_MS,
  LEDGER_PROOF_MAX_ENTRIES,
  MeshError,
  SILENT_MS,
  WAKE_PROBE_MS,
  type Clock,
  type DeviceId,
  type EntryHash,
  type Logger,
} from '../../../base/index.ts'
import { createOutbox } from '../../outbox.ts'
import { FIRST_FRAME, openStream, type Gate, type Protocol } from '../../protocol.ts'
import type { FrameStream } from '../../stream.ts'
import { batches, type LedgerHost } from '../ledger/ledger.ts'
import { CONTROL, controlFrame, hello, proofFrame, reception, type ControlFrame, type Hello } from './messages.ts'

/** A link that is up: one control stream on one connection. */
export interface ControlSession {
  readonly peer: DeviceId
  readonly connection: Connection
  /** Smoothed round trip in ms; null before the first echo. */
  readonly rttMs: number | null
  /**
   * Sends a frame when its turn comes; of frames that say a state only the newest is sent.
   * When that fails, or the device takes nothing, the session ends by itself.
   */
  send(frame: ControlFrame): void
  /** Asks for a sign of life now; without one within {@link WAKE_PROBE_MS} the link is cut. */
  probe(): void
}

/** What a session tells the peer it belongs to. */
export interface ControlHost extends Gate {
  /** The ledger by which callers are judged. */
  readonly ledger: LedgerHost
  /** What is told to a device that is to hear it: no more than its role lets it know. */
  hello(to: DeviceId): Hello
  /** True when the hello is of a device of this very mesh, as it says. */
  isOfThisMesh(told: Hello): boolean
  /** The entries by which a removed device learns that it was, and nothing that came after. */
  farewell(removed: DeviceId): readonly Uint8Array[]
  opened(session: ControlSession, told: Hello): void
  /** Resolves when everything that the frame makes this device do is done: it is at the cost of who sent it. */
  heard(session: ControlSession, frame: ControlFrame): Promise<void>
  closed(session: ControlSession, reason: MeshError): void
}

interface Ports {
  readonly clock: Clock
  readonly log: Logger
}

/** The answering side, for the registry. It judges the caller itself: the caller may bring the entry that admits it. */
export function controlProtocol(host: ControlHost, ports: Ports): Protocol {
  return {
    ...CONTROL,
    callers: 'anyone',
    handling: 'measured',
    async handle(stream, { connection, signal }) {
      const told = await stream.read(hello, FIRST_FRAME)
      if (!host.admitted(stream.peer) && host.isOfThisMesh(told)) await takeProof(stream, host, signal)
      if (!host.admitted(stream.peer)) {
        const refusal = host.refusal(stream.peer)
        // a removed device is shown the signed entries that say so: it need not take our word
        if (refusal.code === 'removed')
          for (const entries of batches(host.farewell(stream.peer)))
            await stream.write({ type: 'entries', entries }, { signal })
        throw refusal
      }
      await stream.write(host.hello(stream.peer), { signal })
      await runSession(stream, connection, told, host, ports)
    },
  }
}

/** Asks an unknown caller for what its ledger has beyond this one; bounded, as it may be anybody. */
async function takeProof(stream: FrameStream, host: ControlHost, signal: AbortSignal): Promise<void> {
  await stream.write({ type: 'have', hashes: host.ledger.have() }, { signal })
  let left = LEDGER_PROOF_MAX_ENTRIES
  for (;;) {
    const frame = await stream.read(proofFrame, FIRST_FRAME)
    if (frame.type === 'end') return
    left -= frame.entries.length
    if (left < 0) throw new MeshError('too-large', 'The ledger is too far ahead to be taken from a stranger.')
    await takeEntries(stream, host, frame.entries, signal)
  }
}

/**
 * Opens the control stream on a connection this device dialled; resolves once
 * both said hello. The session then runs until the link is gone.
 * @throws MeshError `not-admitted`, `removed`, `peer-gone`, `timeout`, `malformed`
 */
export async function openControl(
  connection: Connection,
  host: ControlHost,
  ports: Ports,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const stream = await openStream(connection, CONTROL, ports, options)
  try {
    await stream.write(host.hello(stream.peer), options)
    const told = await received(stream, host, options)
    if (!host.admitted(stream.peer)) throw host.refusal(stream.peer)
    void runSession(stream, connection, told, host, ports)
  } catch (error) {
    stream.abort(error)
    throw asMeshError(error)
  }
}

/** The hello of the called side, with whatever comes before it answered or taken in. */
async function received(
  stream: FrameStream,
  host: ControlHost,
  options: { readonly signal: AbortSignal },
): Promise<Hello> {
  let proven = false
  for (;;) {
    const frame = await stream.read(reception, { ...options, timeoutMs: DIAL_TIMEOUT_MS })
    if (frame.type === 'hello') return frame
    if (frame.type === 'entries') await takeEntries(stream, host, frame.entries, options.signal)
    else if (proven) throw new MeshError('malformed', 'The other device asked twice who this one is.')
    else {
      proven = true
      await giveProof(stream, host, frame.hashes, options)
    }
  }
}

async function giveProof(
  stream: FrameStream,
  host: ControlHost,
  have: readonly EntryHash[],
  options: { readonly signal: AbortSignal },
): Promise<void> {
  for (const entries of batches(host.ledger.missing(have))) await stream.write({ type: 'entries', entries }, options)
  await stream.write({ type: 'end' }, options)
}

async function runSession(
  stream: FrameStream,
  connection: Connection,
  told: Hello,
  host: ControlHost,
  ports: Ports,
): Promise<void> {
  const { clock } = ports
  let rttMs: number | null = null
  let heardAt = clock.monotonic()
  let tickedAt = heardAt
  let beat = 0
  let beatSentAt = 0
  let cancelTick = (): void => {}
  let cancelProbe = (): void => {}

  const end = (reason: MeshError): void => {
    stream.abort(reason)
  }

  const outbox = createOutbox<ControlFrame>({
    clock,
    send: (frame) => stream.write(frame, { signal: stream.over }),
    // one of each: who sends beats and reads nothing has one echo waiting, not all of them
    kindOf: ({ type }) => (type === 'entries' ? undefined : type),
    sizeOf: (frame) => (frame.type === 'entries' ? frame.entries.reduce((sum, entry) => sum + entry.byteLength, 0) : 0),
    maxBytes: CONTROL_UNSENT_MAX_BYTES,
    stallMs: CONTROL_STALL_MS,
    onFailure: (reason) => {
      end(asMeshError(reason, 'peer-gone'))
    },
  })
  const send = (frame: ControlFrame): void => {
    outbox.put(frame)
  }

  const sendBeat = (): void => {
    beat += 1
    beatSentAt = clock.monotonic()
    send({ type: 'beat', n: beat })
  }

  const session: ControlSession = {
    peer: stream.peer,
    connection,
    get rttMs() {
      return rttMs
    },
    send,
    probe() {
      const askedAt = clock.monotonic()
      sendBeat()
      cancelProbe()
      cancelProbe = clock.schedule(WAKE_PROBE_MS, () => {
        if (heardAt < askedAt) end(new MeshError('peer-gone', 'The device did not answer after a pause.'))
      })
    },
  }

  const tick = (): void => {
    const now = clock.monotonic()
    const late = now - tickedAt - HEARTBEAT_MS
    tickedAt = now
    // this device slept or was busy: the silence may be its own
    if (late > HEARTBEAT_MS) {
      heardAt = Math.max(heardAt, now - HEARTBEAT_MS)
      session.probe()
    } else if (now - heardAt > SILENT_MS) {
      end(new MeshError('peer-gone', `The device was silent for ${String(SILENT_MS / 1000)} s.`))
      return
    } else sendBeat()
    cancelTick = clock.schedule(HEARTBEAT_MS, tick)
  }

  host.opened(session, told)
  sendBeat()
  cancelTick = clock.schedule(HEARTBEAT_MS, tick)
  try {
    for (;;) {
      const frame = await stream.read(controlFrame)
      heardAt = clock.monotonic()
      if (frame.type === 'beat') send({ type: 'echo', n: frame.n })
      else if (frame.type === 'echo') {
        if (frame.n === beat) rttMs = smooth(rttMs, heardAt - beatSentAt)
      } else if (frame.type === 'entries') await takeEntries(stream, host, frame.entries, stream.over)
      // one frame after another: what a frame starts and nobody waits for would be started as often as one likes
      await stream.work(() => host.heard(session, frame), { signal: stream.over })
    }
  } catch (error) {
    const reason = asMeshError(error)
    stream.abort(reason)
    host.closed(session, reason)
  } finally {
    cancelTick()
    cancelProbe()
  }
}

/** Takes entries in at the cost of who sent them: judging them is work. */
async function takeEntries(
  stream: FrameStream,
  host: ControlHost,
  entries: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  await stream.work(() => host.ledger.take(stream.peer, entries, { signal }), { signal })
}

function smooth(before: number | null, sampleMs: number): number {
  return before === null ? sampleMs : before * 0.7 + sampleMs * 0.3
}
