import type { Connection } from '@libp2p/interface'
import { systemRandom } from '../../../helper/ports/random.ts'
import { MeshError } from '../../../mesh/base/index.ts'
import type { ProtocolShape } from '../../../mesh/net/protocol.ts'
import { CONTROL } from '../../../mesh/net/protocols/control/messages.ts'
import { JOIN } from '../../../mesh/net/protocols/join/messages.ts'
import type { Adversary } from './adversary.ts'
import type { RawStream } from './raw-stream.ts'
import { SAMPLES, type Sample } from './samples.ts'

/** Where an attack takes place. */
export interface Field {
  readonly adversary: Adversary
  readonly protocol: ProtocolShape
  readonly sample: Sample
  /** The attack goes on until this aborts. */
  readonly signal: AbortSignal
  /** One connection for all rounds, dialled again when it was cut. */
  connection(): Promise<Connection>
}

/** One thing that somebody with software of their own can do to every protocol. */
export interface Attack {
  readonly name: string
  /** Only these protocols; absent: every one. */
  readonly only?: readonly string[]
  /** One round; repeated until the time is over. What it throws is the defender's good luck. */
  round(field: Field): Promise<void>
}

/** In a test attacker and attacked share one processor: so many frames, then somebody else. */
const FRAMES_A_TURN = 16

/** Lets everybody else have a turn. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

const open = async (field: Field): Promise<RawStream> =>
  field.adversary.open(await field.connection(), field.protocol.id, field.signal)

/** Opened, and the first frame said. */
const opened = async (field: Field): Promise<RawStream> => {
  const stream = await open(field)
  await stream.write(field.sample.first(field.adversary), field.signal)
  return stream
}

const going = ({ signal }: Field, stream: RawStream): boolean => !signal.aborted && stream.isOpen

async function flood(field: Field, stream: RawStream, frame: (count: number) => object): Promise<void> {
  for (let count = 1; going(field, stream); count++) {
    await stream.write(frame(count), field.signal)
    if (count % FRAMES_A_TURN === 0) await turn()
  }
}

/** The varint of a length. */
function lengthOf(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

const held = new WeakMap<AbortSignal, RawStream[]>()

/** Kept until the attack is over: what is not referred to might be closed. */
function keep(field: Field, stream: RawStream): void {
  const kept = held.get(field.signal) ?? []
  kept.push(stream)
  held.set(field.signal, kept)
}

/** Attacks that every protocol inherits, and those that only make sense at one. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'a flood of frames',
    async round(field) {
      const stream = await opened(field)
      await flood(field, stream, (count) => field.sample.next(field.adversary, count))
    },
  },
  {
    name: 'a flood of streams',
    async round(field) {
      const connection = await field.connection()
      const tries = Array.from({ length: 32 }, async () => {
        const stream = await field.adversary.open(connection, field.protocol.id, field.signal)
        keep(field, stream)
        await stream.write(field.sample.first(field.adversary), field.signal)
      })
      await Promise.allSettled(tries)
      await turn()
    },
  },
  {
    name: 'answers that are never read',
    async round(field) {
      const stream = await opened(field)
      stream.deafen()
      await flood(field, stream, (count) => field.sample.next(field.adversary, count))
    },
  },
  {
    name: 'answers that are read slowly',
    async round(field) {
      const stream = await opened(field)
      stream.deafen()
      for (let count = 1; going(field, stream); count++) {
        await stream.write(field.sample.next(field.adversary, count), field.signal)
        if (count % FRAMES_A_TURN !== 0) continue
        await turn()
        if (count % (FRAMES_A_TURN * 8) === 0) {
          stream.listen()
          await turn()
          stream.deafen()
        }
      }
    },
  },
  {
    name: 'halves of frames',
    async round(field) {
      const stream = await open(field)
      keep(field, stream)
      const size = field.protocol.maxFrameBytes - 1
      await stream.bytes(lengthOf(size), field.signal)
      await stream.bytes(new Uint8Array(Math.floor(size / 2)), field.signal)
    },
  },
  {
    name: 'a huge length, and bytes without end',
    async round(field) {
      const stream = await open(field)
      await stream.bytes(lengthOf(2 ** 31), field.signal)
      while (going(field, stream)) {
        await stream.bytes(new Uint8Array(64 * 1024), field.signal)
        await turn()
      }
    },
  },
  {
    name: 'garbage',
    async round(field) {
      const stream = await open(field)
      while (going(field, stream)) {
        const noise = systemRandom.bytes(1_024)
        await stream.bytes(lengthOf(noise.byteLength), field.signal)
        await stream.bytes(noise, field.signal)
        await turn()
      }
    },
  },
  {
    name: 'the same first frame again and again',
    async round(field) {
      const stream = await opened(field)
      await Promise.race([stream.read().catch(() => undefined), turn()])
      stream.stream.abort(new Error('again'))
    },
  },
  {
    name: 'connections without end',
    async round(field) {
      const connection = await field.adversary.dial(field.signal)
      keep(field, await field.adversary.open(connection, field.protocol.id, field.signal))
    },
  },
  {
    name: 'a long frame of knocks nobody asked for',
    only: [JOIN.id],
    async round(field) {
      const connection = await field.adversary.dial(field.signal)
      const stream = await field.adversary.open(connection, JOIN.id, field.signal)
      keep(field, stream)
      await stream.write(field.adversary.knock(), field.signal)
    },
  },
  {
    name: 'hints at devices and addresses that are not there',
    only: [CONTROL.id],
    async round(field) {
      const stream = await opened(field)
      const neighbours = Array.from({ length: 200 }, (_, index) => ({
        id: field.adversary.id,
        addresses: [`/ip4/127.0.0.1/tcp/${String(1 + index)}/ws`],
      }))
      await flood(field, stream, () => ({ type: 'neighbours', neighbours }))
    },
  },
]

/**
 * Runs an attack until `signal` aborts, redialling when it is cut. Resolves with how
 * many rounds there were and how many of them the defender ended.
 */
export async function runAttack(
  attack: Attack,
  at: { readonly adversary: Adversary; readonly protocol: ProtocolShape; readonly signal: AbortSignal },
): Promise<{ readonly rounds: number; readonly ended: number }> {
  const sample = SAMPLES[at.protocol.id]
  if (sample === undefined)
    throw new MeshError('bug', `tests/kit/adversary/samples.ts knows no frames of ${at.protocol.id}.`)
  if (attack.only?.includes(at.protocol.id) === false) return { rounds: 0, ended: 0 }
  let current: Promise<Connection> | undefined
  const connection: Field['connection'] = async () => {
    const known = await current?.catch(() => undefined)
    if (known?.status === 'open') return known
    current = at.adversary.dial(at.signal)
    return current
  }
  let rounds = 0
  let ended = 0
  while (!at.signal.aborted) {
    rounds += 1
    try {
      await attack.round({ ...at, sample, connection })
    } catch {
      ended += 1
    }
    await turn()
  }
  held.delete(at.signal)
  const last = await Promise.resolve(current).catch(() => undefined)
  last?.abort(new Error('The attack is over.'))
  return { rounds, ended }
}
