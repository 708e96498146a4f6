import type { Connection } from '@libp2p/interface'
import { systemClock } from '../../helper/ports/clock.ts'
import { MeshError, type DeviceId, type PersonId } from '../../mesh/base/index.ts'
import { parseInvitation, type Role } from '../../mesh/identity/index.ts'
import { CONTROL } from '../../mesh/net/protocols/control/messages.ts'
import { COMPARE } from '../../mesh/net/protocols/compare/messages.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { frameStream, type FrameStream } from '../../mesh/net/stream.ts'
import type { TestPeer } from './peers.ts'
import { EMPTY_CAPABILITY, readFrame, startRawNode, type Frame, type RawNode } from './raw-node.ts'
import { until } from './wait.ts'

/** What a device of somebody else's making is in the mesh it attacks; `own` is a further device of the owner. */
export const STANDINGS = ['stranger', 'removed', 'guest', 'helper-only', 'member', 'owner', 'own'] as const
/** One of {@link STANDINGS}. */
export type RawStanding = (typeof STANDINGS)[number]

/** A device with software of its own, let in with a role, that keeps its link and hears everything. */
export interface RolePeer {
  readonly raw: RawNode
  readonly id: DeviceId
  readonly connection: Connection
  /** Its control stream, where it was let have one. */
  readonly control: FrameStream | undefined
  /** Every frame of the control stream so far, the hello first; beats and echoes left out; and who it is told waits. */
  readonly heard: readonly Frame[]
  /** Questions it was sent. */
  readonly asked: readonly Frame[]
  send(frame: Frame): Promise<void>
  /** Resolves when everything sent before was taken in. */
  settled(): Promise<void>
  /** Its person in the mesh of `peer`. */
  person(peer: TestPeer): PersonId
  stop(): Promise<void>
}

/** A model no honest device has, faster than any. */
export const FORGED_MODEL = 'forged-model'

/** What it says of itself unless told otherwise: that it answers faster than anybody. */
export const BOAST = {
  ...EMPTY_CAPABILITY,
  kind: 'helper',
  models: [
    {
      id: FORGED_MODEL,
      sizeBytes: 1,
      sha256: '',
      contextTokens: 4096,
      state: 'ready',
      addedAt: 1,
      speed: { prefillTokensPerSecond: 1e9, decodeTokensPerSecond: 1e9, measuredAt: 1 },
    },
  ],
  load: { slots: 64, busy: 0, queued: 0 },
} as const

const END = {
  type: 'end',
  sequence: 1,
  finish: 'stop',
  usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1 },
  timings: { queueMs: 0, prefillMs: 0, firstTokenMs: 0, decodeMs: 0 },
}

/** Lets it in as what it is to be; a stranger is let in nowhere, a removed one was an owner's before. */
async function admit(raw: RawNode, connection: Connection, peer: TestPeer, standing: RawStanding): Promise<void> {
  if (standing === 'stranger') return
  const role: Role = standing === 'removed' || standing === 'own' ? 'owner' : standing
  const wanted = standing === 'own' ? {} : { person: 'Mallory', role }
  const { url } = await peer.mesh.invite({ confirmation: 'in-advance', ...wanted })
  await readFrame(await raw.prove(connection, url))
  if (standing === 'removed') await peer.mesh.remove(raw.id)
}

/** Starts one against a peer. `hello` changes its first frame, `answer` what it does with a question. */
export async function startRolePeer(
  peer: TestPeer,
  standing: RawStanding,
  options: {
    readonly kind?: 'helper' | 'browser'
    readonly hello?: Record<string, unknown>
    /** Default: one forged word, and an end. */
    readonly answer?: (stream: FrameStream) => Promise<void>
  } = {},
): Promise<RolePeer> {
  const raw = await startRawNode(options.kind ?? 'helper')
  const asked: Frame[] = []
  const heard: Frame[] = []
  const forge = async (stream: FrameStream): Promise<void> => {
    await stream.write({ type: 'text', sequence: 0, text: 'FORGED', tokenCount: 1 })
    await stream.write(END)
  }
  await raw.node.handle(INFER.id, async (stream, from) => {
    const ends = { clock: systemClock, maxFrameBytes: INFER.maxFrameBytes }
    const frames = frameStream(stream, from.remotePeer.toString() as DeviceId, ends)
    try {
      asked.push(await readFrame(frames))
      await (options.answer ?? forge)(frames)
    } catch {
      // the asker is free to go at any time
    }
  })
  // who waits is told for as long as the stream is open
  await raw.node.handle(COMPARE.id, async (stream, from) => {
    const ends = { clock: systemClock, maxFrameBytes: COMPARE.maxFrameBytes }
    const told = await readFrame(frameStream(stream, from.remotePeer.toString() as DeviceId, ends)).catch(
      () => undefined,
    )
    if (told !== undefined) heard.push(told)
  })
  const first = await raw.dial(peer)
  await admit(raw, first, peer, standing)
  // a removed device is cut, and comes again
  if (standing === 'removed') await until(() => first.status !== 'open', { what: 'the removed device to be cut' })
  const connection = first.status === 'open' ? first : await raw.dial(peer)
  const { mesh } = parseInvitation((await peer.mesh.invite({ confirmation: 'in-advance' })).url)
  const control = await greet(raw, connection, { mesh, capability: BOAST, ...options.hello }, heard)
  let echoed = 0
  let beats = 0
  if (control !== undefined) void listen(control, heard, (n) => (echoed = Math.max(echoed, n)))
  const send = async (frame: Frame): Promise<void> => {
    if (control === undefined) throw new MeshError('refused', 'This device has no control stream.')
    await control.write(frame)
  }
  return {
    raw,
    id: raw.id,
    connection,
    control,
    heard,
    asked,
    send,
    async settled() {
      beats += 1
      const n = 1_000_000 + beats
      await send({ type: 'beat', n })
      await until(() => echoed >= n, { what: 'the echo of a beat' })
    },
    person(of) {
      const person = of.mesh.devices().find((device) => device.id === raw.id)?.personId
      if (person === undefined) throw new MeshError('device-unknown', 'This device is not in the mesh.')
      return person as PersonId
    },
    stop: () => raw.stop(),
  }
}

/** The control stream with the answer to its hello; undefined where it was refused. */
async function greet(
  raw: RawNode,
  connection: Connection,
  change: Record<string, unknown>,
  heard: Frame[],
): Promise<FrameStream | undefined> {
  try {
    const stream = await raw.open(connection, CONTROL)
    await stream.write({ type: 'hello', heads: [], neighbours: [], capability: EMPTY_CAPABILITY, ...change })
    for (;;) {
      const frame = await readFrame(stream)
      if (frame['type'] === 'hello') {
        heard.push(frame)
        return stream
      }
      // it is asked what it knows, or told that it was removed
      if (frame['type'] === 'have') await stream.write({ type: 'end' })
    }
  } catch {
    return undefined
  }
}

async function listen(control: FrameStream, heard: Frame[], onEcho: (n: number) => void): Promise<void> {
  try {
    for (;;) {
      const frame = await readFrame(control, 60_000)
      if (frame['type'] === 'beat') await control.write({ type: 'echo', n: frame['n'] })
      else if (frame['type'] === 'echo') onEcho(Number(frame['n']))
      else heard.push(frame)
    }
  } catch {
    // cut: what was heard stays
  }
}
