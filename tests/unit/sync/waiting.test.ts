import { expect, test } from 'vitest'
import { asId, randomInt, type DeviceId, type DocumentId } from '../../../mesh/base/index.ts'
import { judge } from '../../../mesh/sync/admit.ts'
import { createChains } from '../../../mesh/sync/chains.ts'
import { NO_ENVELOPE, type Envelope } from '../../../mesh/sync/envelope.ts'
import type { ClockRange } from '../../../mesh/sync/update.ts'
import { createWaiting, createWaitingTotals, needOf } from '../../../mesh/sync/waiting.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { scopeOf } from '../../kit/sync-peers.ts'

const AUTHORS = ['ann', 'ben'].map((name) => asId<DeviceId>(name))
const NAME = { id: asId<DocumentId>('waiting'), kind: 'operations', scope: scopeOf('mesh') } as const

/** One device's intake of heads, without signatures and a disk. */
function intake() {
  const chains = createChains()
  const waiting = createWaiting(createWaitingTotals(String), String)
  const writers = { mayWrite: () => true }
  const state = { chains, waiting, name: NAME, ports: { writers, signer: { id: AUTHORS[0] } } } as never
  let judged = 0
  const verdictOf = (envelope: Envelope) => {
    judged += 1
    return judge(envelope, state).verdict
  }
  const takeOne = (envelope: Envelope): boolean => {
    const verdict = verdictOf(envelope)
    if (verdict === 'waits')
      waiting.add({ envelope, via: envelope.head.author }, needOf(envelope, chains) ?? { kind: 'proof' })
    if (verdict === 'next') chains.take(envelope, 0)
    return verdict === 'next'
  }
  return {
    ...{ chains, waiting, takeOne, verdictOf, judged: () => judged },
    /** As the index says. */
    take(envelope: Envelope) {
      const queue = [envelope]
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        if (takeOne(one)) waiting.taken(one)
        if (queue.length === 0)
          queue.push(...waiting.takeRipe(chains, (other) => verdictOf(other) !== 'waits').map((ripe) => ripe.envelope))
      }
    },
    /** All that waits is judged anew, for each. */
    takeAnew(envelope: Envelope) {
      const queue = [envelope]
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        takeOne(one)
        waiting.wakeAll()
        if (queue.length === 0)
          queue.push(...waiting.takeRipe(chains, (other) => verdictOf(other) !== 'waits').map((ripe) => ripe.envelope))
      }
    },
  }
}

type Given = Pick<Envelope, 'chain'> & { author: DeviceId; previous?: Envelope | undefined } & {
  erases?: readonly ClockRange[]
  isHollow?: boolean
  count?: number
}

function envelopeOf(hash: Uint8Array, { chain, author, previous, erases = [], isHollow = false, count = 1 }: Given) {
  const head = {
    ...{ author, count, erases, at: 0, run: new Uint8Array(16), epoch: '' },
    sequence: (previous?.head.sequence ?? 0) + 1,
    from: previous === undefined ? 0 : previous.head.from + previous.head.count,
    previous: previous?.hash ?? NO_ENVELOPE,
  }
  return { head, chain, hash, bytes: new Uint8Array(300), box: isHollow ? undefined : hash } as unknown as Envelope
}

test('the index lets in the same as to judge all that waits anew, for any envelopes in any order', () => {
  let waited = 0
  for (let run = 0; run < 60; run++) {
    const random = createSeededRandom(`waiting ${String(run)}`)
    const envelopes: Envelope[] = []
    const tips = new Map<number, Envelope>()
    for (let step = 0; step < 30; step++) {
      const chain = 1 + randomInt(random, 5)
      const previous = tips.get(chain)
      // now and then of what another wrote, or nobody did
      const range = (): ClockRange => ({
        chain: 1 + (randomInt(random, 40) % 6),
        clock: randomInt(random, 5),
        count: 1 + randomInt(random, 2),
      })
      const erases = Array.from({ length: randomInt(random, 3) }, range).filter(
        (one) => one.chain % 2 === chain % 2 || randomInt(random, 20) === 0,
      )
      const author = AUTHORS[chain % 2] as DeviceId
      const isHollow = randomInt(random, 3) === 0
      const one = envelopeOf(random.bytes(32), {
        chain,
        author,
        previous,
        erases,
        isHollow,
        count: randomInt(random, 3),
      })
      envelopes.push(one)
      // else it signs another one for that place
      if (randomInt(random, 25) > 0) tips.set(chain, one)
    }
    for (let at = envelopes.length - 1; at > 0; at--) {
      const other = randomInt(random, at + 1)
      ;[envelopes[at], envelopes[other]] = [envelopes[other] as Envelope, envelopes[at] as Envelope]
    }
    const [indexed, anew] = [intake(), intake()]
    for (const envelope of envelopes) {
      indexed.take(envelope)
      anew.takeAnew(envelope)
      const placesOf = ({ waiting }: typeof indexed) =>
        waiting
          .all()
          .map((one) => `${String(one.envelope.chain)}/${String(one.envelope.head.sequence)}`)
          .sort()
      expect(indexed.chains.digest(), `run ${String(run)}`).toBe(anew.chains.digest())
      expect(placesOf(indexed), `run ${String(run)}`).toEqual(placesOf(anew))
      for (const other of indexed.waiting.all()) expect(indexed.verdictOf(other.envelope)).toBe('waits')
      waited += indexed.waiting.all().length
    }
  }
  expect(waited).toBeGreaterThan(500)
})

/** How often something is judged for chains that each erase all of the one that comes at last, its end before its beginning. */
function judgementsOf(length: number): number {
  const random = createSeededRandom('costs')
  const { take, judged, waiting } = intake()
  const author = AUTHORS[0] as DeviceId
  const chain: Envelope[] = []
  for (let at = 0; at < length; at++)
    chain.push(envelopeOf(random.bytes(32), { chain: 1, author, previous: chain.at(-1) }))
  const erases = Array.from({ length }, (_, clock) => ({ chain: 1, clock, count: 1 }))
  for (let other = 0; other < length; other++)
    take(
      envelopeOf(random.bytes(32), { chain: 2 + other, author, erases: other % 2 === 0 ? erases : erases.slice(-1) }),
    )
  for (const one of chain.reverse()) take(one)
  expect(waiting.all()).toHaveLength(0)
  return judged()
}

test('each of those that wait is judged a few times, however many there are', () => {
  for (const length of [50, 200]) expect(judgementsOf(length)).toBeLessThanOrEqual(2 * 3 * length)
})
