import { createSocket, type Socket } from 'node:dgram'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { isLocalAddress } from '../../../helper/ports/network.ts'
import { systemClock } from '../../../helper/ports/clock.ts'
import { answerTo, openStun, STUN_LIMITS, type Stun, type StunOptions } from '../../../helper/stun/index.ts'
import { createRate } from '../../../helper/ports/rate.ts'
import { silentLogger } from '../../../mesh/base/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { until } from '../../kit/wait.ts'

const RUNS = process.env['PLEXUS_TEST_FULL'] === '1' ? 100_000 : 2_000
const sender = { address: '192.168.7.7', port: 50_123 }

/** A binding request with these attributes. */
function request(attributes: readonly (readonly [type: number, value: Buffer])[] = [], type = 0x0001): Buffer {
  const body = Buffer.concat(
    attributes.map(([kind, value]) => {
      const one = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4)
      one.writeUInt16BE(kind, 0)
      one.writeUInt16BE(value.length, 2)
      value.copy(one, 4)
      return one
    }),
  )
  const head = Buffer.alloc(20, 7)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(body.length, 2)
  head.writeUInt32BE(0x2112a442, 4)
  return Buffer.concat([head, body])
}

/** The address in an answer, read by the letter of RFC 8489, 14.2. */
function mapped(answer: Buffer): { address: string; port: number } {
  expect(answer.readUInt16BE(0)).toBe(0x0101)
  expect(answer.readUInt16BE(2)).toBe(12)
  expect(answer.readUInt16BE(20)).toBe(0x0020)
  expect(answer.readUInt16BE(22)).toBe(8)
  expect(answer.readUInt8(25)).toBe(1)
  const bytes = [...answer.subarray(28, 32)].map((byte, index) => byte ^ ([0x21, 0x12, 0xa4, 0x42][index] ?? 0))
  return { address: bytes.join('.'), port: answer.readUInt16BE(26) ^ 0x2112 }
}

describe('an answer', () => {
  test('tells the sender its address, with the transaction as it came', () => {
    const packet = request()
    const answer = answerTo(packet, sender)
    expect(answer && mapped(answer)).toEqual(sender)
    expect(answer?.subarray(4, 20)).toEqual(packet.subarray(4, 20))
  })

  test('is the one of the sample of RFC 5769, 2.2, for its address', () => {
    // 192.0.2.1:32853 is a1:47 e1:12:a6:43 once masked
    const answer = answerTo(request(), { address: '192.0.2.1', port: 32_853 })
    expect(answer?.subarray(24).toString('hex')).toBe('0001a147e112a643')
  })

  test('refuses what it does not understand by name, an order to answer somebody else included', () => {
    for (const type of [0x0003, 0x0027, 0x0006, 0x0008, 0x7fff]) {
      const answer = answerTo(request([[type, Buffer.alloc(4)]]), sender)
      expect(answer?.readUInt16BE(0)).toBe(0x0111)
      expect([...(answer?.subarray(24, 28) ?? [])]).toEqual([0, 0, 4, 20])
      expect(answer?.readUInt16BE(32)).toBe(type)
    }
    // what may be ignored is
    expect(answerTo(request([[0x8022, Buffer.from('a browser')]]), sender)?.readUInt16BE(0)).toBe(0x0101)
  })

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['too little', request().subarray(0, 19)],
    ['an answer', request([], 0x0101)],
    ['an indication', request([], 0x0011)],
    ['a TURN allocation', request([], 0x0003)],
    ['a length that lies', Buffer.concat([request(), Buffer.alloc(4)])],
    ['an attribute that ends outside', request([[0x8022, Buffer.alloc(8)]]).fill(0xff, 22, 24)],
    ['half an attribute', Buffer.concat([request(), Buffer.alloc(2)])],
    ['the cookie of nobody (RFC 3489)', request().fill(0, 4, 8)],
    ['a packet no network carries whole', request([[0x8022, Buffer.alloc(600)]])],
  ])('is not given to %s', (_what, packet) => {
    expect(answerTo(packet, sender)).toBeUndefined()
  })

  test('is never more than twice the question, whatever comes, and nothing throws', () => {
    const attribute = fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ maxLength: 40 }))
    const packets = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc
        .array(attribute, { maxLength: 12 })
        .map((list) => request(list.map(([type, value]) => [type, Buffer.from(value)]))),
      fc
        .tuple(fc.array(attribute, { maxLength: 4 }), fc.nat(), fc.integer({ min: 0, max: 255 }))
        .map(([list, at, byte]) => {
          const packet = request(list.map(([type, value]) => [type, Buffer.from(value)]))
          packet[at % packet.length] = byte
          return packet
        }),
    )
    fc.assert(
      fc.property(packets, (packet) => {
        const answer = answerTo(packet, sender)
        if (answer === undefined) return
        expect(answer.length).toBeLessThanOrEqual(2 * packet.length)
        expect(answer.length % 4).toBe(0)
        expect(answer.readUInt16BE(2)).toBe(answer.length - 20)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('the server', () => {
  const open: (Stun | Socket)[] = []
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })

  async function start(options: Partial<StunOptions> = {}): Promise<Stun> {
    const stun = await openStun({
      port: 0,
      host: '127.0.0.1',
      clock: systemClock,
      log: silentLogger,
      isLocal: isLocalAddress,
      ...options,
    })
    open.push(stun)
    return stun
  }

  async function client(): Promise<{ socket: Socket; answers: Buffer[]; ask(stun: Stun): Promise<void> }> {
    const socket = createSocket('udp4')
    open.push(socket)
    const answers: Buffer[] = []
    socket.on('message', (answer) => answers.push(answer))
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return {
      socket,
      answers,
      ask: (stun) => new Promise((resolve) => socket.send(request(), stun.port, '127.0.0.1', () => resolve())),
    }
  }

  test('answers who asks with the address it sees', async () => {
    const stun = await start()
    const { socket, answers, ask } = await client()
    await ask(stun)
    await until(() => answers.length === 1, { what: 'an answer' })
    expect(mapped(answers[0] ?? Buffer.alloc(0))).toEqual({ address: '127.0.0.1', port: socket.address().port })
  })

  test('answers nobody beyond the local network, and nobody too often', async () => {
    const asked: string[] = []
    const deaf = await start({
      isLocal: (address) => {
        asked.push(address)
        return false
      },
    })
    const stun = await start({ clock: createVirtualClock() })
    const { answers, ask } = await client()
    await ask(deaf)
    await until(() => asked.length === 1, { what: 'the question to arrive' })
    for (let index = 0; index < STUN_LIMITS.burstPerAddress + 20; index++) await ask(stun)
    await until(() => answers.length === STUN_LIMITS.burstPerAddress, { what: 'the burst' })
    // another server answers at once: what was not answered by now is not going to be
    const other = await start()
    const second = await client()
    await second.ask(other)
    await until(() => second.answers.length === 1, { what: 'the other answer' })
    expect(answers).toHaveLength(STUN_LIMITS.burstPerAddress)
  })

  test('says which port is taken', async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toMatchObject({ code: 'port-taken', detail: { port } })
  })
})

test('a rate comes back with time and is kept for so many only', () => {
  const clock = createVirtualClock()
  const rate = createRate(clock, { burst: 2, perSecond: 1, keysMax: 2 })
  expect([1, 2, 3].map(() => rate.take('a'))).toEqual([true, true, false])
  clock.advance(1_000)
  expect([1, 2].map(() => rate.take('a'))).toEqual([true, false])
  rate.take('b')
  rate.take('c')
  // forgotten, it has its burst again
  expect(rate.take('a')).toBe(true)
})

test.each([
  ['10.1.2.3', true],
  ['172.20.0.1', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['100.64.0.9', true],
  ['100.128.0.9', false],
  ['8.8.8.8', false],
  ['203.0.113.9', false],
])('%s is local: %s', (address, expected) => {
  expect(isLocalAddress(address)).toBe(expected)
})
