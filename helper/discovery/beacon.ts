import type { Clock, DeviceId, Random } from '../../mesh/base/index.ts'
import { createRate } from '../ports/rate.ts'
import type { Answer, Multicast } from './multicast.ts'
import { markOf, periodAt, serviceOf } from './tag.ts'

/** What a beacon needs of its device. */
export interface BeaconPorts {
  readonly multicast: Pick<Multicast, 'ask' | 'say' | 'onQuestions' | 'onAnswers'>
  readonly clock: Clock
  readonly random: Random
  readonly self: DeviceId
  /** TCP port of the peer. */
  port(): number
  /**
   * Keys that devices of the mesh hold and nobody else, newest first. Spoken under is the
   * newest alone, so that who held an older one recognises nobody; heard are all. None:
   * nothing is sent.
   */
  meshTags(): readonly Uint8Array[]
  /** Devices that were admitted, this one not among them. */
  admitted(): readonly DeviceId[]
  /** A device of the mesh says that it is at these addresses. */
  found(device: DeviceId, addresses: readonly string[]): void
}

/** Says that this device is here and hears the others, to devices of its mesh only. */
export interface Beacon {
  /** Asks again now: the network changed, or the mesh did. */
  ask(): void
  stop(): void
}

/** How often the network is asked, in ms. What is not heard is found by its other addresses. */
const ASK_MS = 60_000
/** How long an answer holds, in seconds: about as long as the next question is away. */
const TTL_SECONDS = 120
const INSTANCE_BYTES = 8
/** Answers that are looked at, of one address and of all: each asks for a mark of every device. */
const HEARD_OF_HOST = { burst: 20, perSecond: 1, keysMax: 1_024 } as const
const HEARD_OF_ALL = { burst: 200, perSecond: 40, keysMax: 1 } as const

/** Announces this device under the tag of the hour, and recognises those of its mesh. */
export function createBeacon(ports: BeaconPorts): Beacon {
  const { multicast, clock, random } = ports
  let cancel = (): void => {}
  const own: { period: number; instance: string } = { period: -1, instance: '' }

  /** A fresh name each period: the one before would tie two tags together. */
  const instanceIn = (period: number): string => {
    if (own.period !== period) {
      own.period = period
      own.instance = Buffer.from(random.bytes(INSTANCE_BYTES)).toString('hex')
    }
    return own.instance
  }

  const ask = (): void => {
    const [key] = ports.meshTags()
    if (key === undefined) return
    const period = periodAt(clock.now())
    multicast.ask([{ name: serviceOf(key, period), type: 'PTR' }])
    // who asks is here
    multicast.say(describe(key, period))
  }

  const describe = (key: Uint8Array, period: number): Answer[] => {
    const name = serviceOf(key, period)
    const target = `${instanceIn(period)}.${name}`
    const common = { ttlSeconds: TTL_SECONDS }
    return [
      { ...common, type: 'PTR', name, target },
      { ...common, type: 'SRV', name: target, port: ports.port() },
      { ...common, type: 'TXT', name: target, text: markOf(key, period, ports.self) },
    ]
  }

  const endQuestions = multicast.onQuestions((questions) => {
    const [key] = ports.meshTags()
    if (key === undefined) return
    const period = periodsNear(clock.now()).find((one) =>
      questions.some(({ name, type }) => name === serviceOf(key, one) && (type === 'PTR' || type === 'ANY')),
    )
    if (period !== undefined) multicast.say(describe(key, period))
  })

  const heard = createRate(clock, HEARD_OF_HOST)
  const heardOfAll = createRate(clock, HEARD_OF_ALL)
  const endAnswers = multicast.onAnswers((answers, from) => {
    const pointers = answers.filter((one) => one.type === 'PTR')
    // everybody on the network may say so, as often as they like
    if (pointers.length === 0 || !heard.take(from) || !heardOfAll.take('all')) return
    for (const key of ports.meshTags()) {
      for (const period of periodsNear(clock.now())) {
        const name = serviceOf(key, period)
        const pointer = pointers.find((one) => one.name === name)
        if (pointer !== undefined) tell(key, period, answers, pointer.target, from)
      }
    }
  })

  /** The address is the one the packet came from: what it says of itself could be anybody's. */
  const tell = (key: Uint8Array, period: number, answers: readonly Answer[], target: string, from: string): void => {
    const mark = answers.find((one) => one.type === 'TXT' && one.name === target)
    const place = answers.find((one) => one.type === 'SRV' && one.name === target)
    if (mark?.type !== 'TXT' || place?.type !== 'SRV') return
    const device = ports.admitted().find((id) => markOf(key, period, id) === mark.text)
    if (device !== undefined) ports.found(device, [`/ip4/${from}/tcp/${String(place.port)}`])
  }

  const askAgain = (): void => {
    ask()
    cancel = clock.schedule(ASK_MS, askAgain)
  }
  askAgain()
  return {
    ask,
    stop() {
      cancel()
      endQuestions()
      endAnswers()
    },
  }
}

/** This period and its neighbours: clocks differ. */
function periodsNear(nowMs: number): readonly number[] {
  const period = periodAt(nowMs)
  return [period, period - 1, period + 1]
}
