import type { Clock, Logger } from '../../mesh/base/index.ts'
import type { Multicast } from './multicast.ts'

/** The name under which browsers reach a helper on their network. */
export const LOCAL_NAME = 'plexus.local'

/** What keeping the name needs. */
export interface NamePorts {
  readonly multicast: Pick<Multicast, 'ask' | 'say' | 'onQuestions' | 'onAnswers'>
  readonly clock: Clock
  readonly log: Logger
  /** Addresses of this machine on its networks, now. */
  addresses(): readonly string[]
}

/** Answers for the name while nobody else does. */
export interface NameKeeper {
  /** Whether the name is this helper's. */
  readonly isOurs: boolean
  stop(): void
}

/** How long another owner has to answer before the name is taken, in ms (RFC 6762, 8.1: 250 ms, three times). */
const PROBE_MS = 750
const PROBES = 3
/** How long an answer holds, in seconds (RFC 6762, 10: host names). */
const TTL_SECONDS = 120

/**
 * Takes the name `plexus.local` if nobody on the network has it. Two helpers cannot
 * share it: their certificates differ, and a browser would be led to either.
 */
export function createNameKeeper(ports: NamePorts): NameKeeper {
  const { multicast, clock, log } = ports
  let standing: 'probing' | 'ours' | 'taken' = 'probing'
  const probes: (() => void)[] = []

  const endAnswers = multicast.onAnswers((answers) => {
    const other = answers.find(
      (one) => one.type === 'A' && one.name === LOCAL_NAME && !ports.addresses().includes(one.address),
    )
    if (other === undefined || standing !== 'probing') return
    standing = 'taken'
    log.info('Another helper of this network is plexus.local already; this one is reached by its address.')
  })
  const endQuestions = multicast.onQuestions((questions) => {
    const isAsked = questions.some(({ name, type }) => name === LOCAL_NAME && (type === 'A' || type === 'ANY'))
    if (isAsked && standing === 'ours') say()
  })
  const say = (): void => {
    const answers = ports
      .addresses()
      .map((address) => ({ type: 'A', name: LOCAL_NAME, address, ttlSeconds: TTL_SECONDS }) as const)
    if (answers.length > 0) multicast.say(answers)
  }

  for (let probe = 0; probe < PROBES; probe++) {
    const ask = (): void => {
      if (standing === 'probing') multicast.ask([{ name: LOCAL_NAME, type: 'ANY' }])
    }
    if (probe === 0) ask()
    else probes.push(clock.schedule((PROBE_MS / PROBES) * probe, ask))
  }
  probes.push(
    clock.schedule(PROBE_MS, () => {
      if (standing !== 'probing') return
      standing = 'ours'
      say()
    }),
  )
  return {
    get isOurs() {
      return standing === 'ours'
    },
    stop() {
      for (const cancel of probes) cancel()
      endAnswers()
      endQuestions()
    },
  }
}
