import createMdns, { type MulticastDNS, type QueryPacket, type ResponsePacket } from 'multicast-dns'
import { MeshError, messageOf, type Clock, type Logger } from '../../mesh/base/index.ts'
import { isLocalAddress } from '../ports/network.ts'
import { createRate } from '../ports/rate.ts'

/** What somebody on the network asks. */
export interface Question {
  readonly name: string
  readonly type: string
}

/** What somebody on the network says; only the kinds of record used here. */
export type Answer =
  | { readonly type: 'A'; readonly name: string; readonly address: string; readonly ttlSeconds: number }
  | { readonly type: 'PTR'; readonly name: string; readonly target: string; readonly ttlSeconds: number }
  | { readonly type: 'SRV'; readonly name: string; readonly port: number; readonly ttlSeconds: number }
  | { readonly type: 'TXT'; readonly name: string; readonly text: string; readonly ttlSeconds: number }

/** Multicast DNS on every network of this machine. */
export interface Multicast {
  ask(questions: readonly Question[]): void
  say(answers: readonly Answer[]): void
  onQuestions(listener: (questions: readonly Question[], from: string) => void): () => void
  onAnswers(listener: (answers: readonly Answer[], from: string) => void): () => void
  close(): Promise<void>
}

/** Most records of one packet that are looked at: our own has four. */
const RECORDS_MAX = 64
/** Longest name of DNS (RFC 1035, 2.3.4) and of a text of ours, in characters. */
const NAME_MAX_LENGTH = 255
/** Answers at once and per second: whoever asks without end hears no more (RFC 6762, 6). */
const ANSWERS = { burst: 10, perSecond: 2, keysMax: 1 } as const
/** Other responders of this machine may announce the same service under this host. */
const HOST = 'plexus.local'

/**
 * Joins the multicast group. Packets that come from beyond the local network, or are
 * no DNS, are dropped.
 * @throws MeshError `port-taken` when the system does not share the port of mDNS
 */
export async function openMulticast({
  clock,
  log,
}: {
  readonly clock: Clock
  readonly log: Logger
}): Promise<Multicast> {
  const rate = createRate(clock, ANSWERS)
  // bound to every address: bound to one, Linux delivers no multicast
  const mdns = createMdns({ bind: '0.0.0.0' })
  await ready(mdns)
  mdns.on('error', (error: unknown) => {
    log.warn('Multicast DNS failed.', { reason: messageOf(error) })
  })
  mdns.on('warning', (error: unknown) => {
    log.debug('A packet of multicast DNS could not be read or sent.', { reason: messageOf(error) })
  })
  return {
    ask(questions) {
      mdns.query({ questions: questions.map(({ name, type }) => ({ name, type: type as 'PTR' })) })
    },
    say(answers) {
      if (!rate.take('')) return
      mdns.respond({ answers: answers.map(toRecord) as NonNullable<ResponsePacket['answers']> })
    },
    onQuestions(listener) {
      const hear = (packet: QueryPacket, from: { address: string }): void => {
        if (!isLocalAddress(from.address)) return
        const questions = (packet.questions ?? [])
          .slice(0, RECORDS_MAX)
          .filter(({ name }) => name.length <= NAME_MAX_LENGTH)
        if (questions.length > 0)
          listener(
            questions.map(({ name, type }) => ({ name: name.toLowerCase(), type })),
            from.address,
          )
      }
      mdns.on('query', hear)
      return () => mdns.off('query', hear)
    },
    onAnswers(listener) {
      const hear = (packet: ResponsePacket, from: { address: string }): void => {
        if (!isLocalAddress(from.address)) return
        const records: readonly unknown[] = [...(packet.answers ?? []), ...(packet.additionals ?? [])].slice(
          0,
          RECORDS_MAX,
        )
        const answers = records.flatMap((record) => fromRecord(record) ?? [])
        if (answers.length > 0) listener(answers, from.address)
      }
      mdns.on('response', hear)
      return () => mdns.off('response', hear)
    },
    close: () =>
      new Promise((resolve) => {
        mdns.destroy(() => {
          resolve()
        })
      }),
  }
}

function ready(mdns: MulticastDNS): Promise<void> {
  return new Promise((resolve, reject) => {
    mdns.once('ready', resolve)
    mdns.once('error', (error: unknown) => {
      reject(
        new MeshError('port-taken', `The port of multicast DNS (5353, UDP) cannot be shared: ${messageOf(error)}.`, {
          cause: error,
        }),
      )
    })
  })
}

function toRecord(answer: Answer): object {
  const { name, type, ttlSeconds: ttl } = answer
  switch (answer.type) {
    case 'A':
      return { name, type, ttl, flush: true, data: answer.address }
    case 'PTR':
      return { name, type, ttl, data: answer.target }
    case 'SRV':
      return { name, type, ttl, data: { port: answer.port, target: HOST } }
    case 'TXT':
      return { name, type, ttl, data: [answer.text] }
  }
}

/** A record of ours, or nothing: what the library decoded is anybody's. */
function fromRecord(record: unknown): Answer | undefined {
  if (typeof record !== 'object' || record === null) return undefined
  const { name, type, ttl, data } = record as Record<string, unknown>
  if (typeof name !== 'string' || name.length > NAME_MAX_LENGTH) return undefined
  const common = { name: name.toLowerCase(), ttlSeconds: typeof ttl === 'number' ? ttl : 0 }
  if (type === 'A' && typeof data === 'string') return { ...common, type, address: data }
  if (type === 'PTR' && typeof data === 'string' && data.length <= NAME_MAX_LENGTH)
    return { ...common, type, target: data.toLowerCase() }
  if (type === 'SRV') return portOf(data, common)
  if (type === 'TXT') return textOf(data, common)
  return undefined
}

type Common = Pick<Answer, 'name' | 'ttlSeconds'>

function portOf(data: unknown, common: Common): Answer | undefined {
  const port = typeof data === 'object' && data !== null && 'port' in data ? data.port : undefined
  const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536
  return isPort ? { ...common, type: 'SRV', port } : undefined
}

function textOf(data: unknown, common: Common): Answer | undefined {
  const first: unknown = Array.isArray(data) ? data[0] : data
  const text = first instanceof Uint8Array ? Buffer.from(first).toString('latin1') : first
  return typeof text === 'string' && text.length <= NAME_MAX_LENGTH ? { ...common, type: 'TXT', text } : undefined
}
