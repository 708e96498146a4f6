import * as cbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asId, type MessageId, type PersonId } from '../../base/index.ts'
import { createSeededRandom } from '../../../tests/kit/random.ts'
import { decodeRoomOperation, encodeRoomOperation, isRoomOperationId, type RoomHappening } from './operations.ts'

const MUTANTS = process.env['PLEXUS_TEST_FULL'] === '1' ? 100_000 : 2_000
const message = asId<MessageId>('01jm')

const samples: readonly RoomHappening[] = [
  { op: 'say', order: 1_700_000_000_000, parents: [message, asId<MessageId>('01jn')] },
  {
    op: 'text',
    order: 3,
    message,
    text: 'In my car. 👩‍👩‍👧',
    mentions: ['ai', asId<PersonId>('0123456789abcdef0123456789abcdef')],
    attachments: [{ name: 'map.pdf', sizeBytes: 12, sha256: 'a'.repeat(64), type: 'application/pdf' }],
  },
  { op: 'delete', order: 3, message },
  { op: 'answer', order: 4, parents: [message], question: message },
  { op: 'part', answer: message, from: 12, text: 'About 1,100 g' },
  {
    op: 'end',
    answer: message,
    state: 'failed',
    length: 13,
    figures: undefined,
    error: { code: 'peer-gone', message: 'Gone.' },
  },
  { op: 'stop', order: 5, answer: message },
  { op: 'hide', order: 5, answer: message, hidden: true },
  { op: 'name', order: 6, name: 'Cabin weekend' },
  { op: 'rule', order: 7, rule: 'every-message' },
  { op: 'read', heads: [message], missing: [] },
]

describe('operations of a room', () => {
  it('read as they were written', () => {
    for (const happening of samples) {
      const decoded = decodeRoomOperation(encodeRoomOperation(happening))
      expect(decoded.kind, happening.op).toBe('operation')
      if (decoded.kind === 'operation') expect(decoded.operation).toEqual({ v: 1, ...happening })
    }
  })

  it('are skipped where a newer version wrote them', () => {
    expect(decodeRoomOperation(cbor.encode({ v: 2, op: 'say', order: 1, parents: [] })).kind).toBe('newer')
    expect(decodeRoomOperation(cbor.encode({ v: 1, op: 'wave' })).kind).toBe('newer')
  })

  it.each([
    ['more heads than 16', { op: 'say', order: 1, parents: Array.from({ length: 17 }, () => 'a') }],
    ['an order after the year 2200', { op: 'say', order: 7_258_118_400_001, parents: [] }],
    ['an order below 0', { op: 'say', order: -1, parents: [] }],
    ['a text over its length', { op: 'text', order: 1, message: 'a', text: 'x'.repeat(32_769) }],
    ['a person that is none', { op: 'text', order: 1, message: 'a', text: 'x', mentions: ['everybody'] }],
    [
      'a hash that is none',
      {
        op: 'text',
        order: 1,
        message: 'a',
        text: '',
        attachments: [{ name: 'a', sizeBytes: 1, sha256: '../etc', type: '' }],
      },
    ],
    ['a part beyond any answer', { op: 'part', answer: 'a', from: 4_000_001, text: 'x' }],
    ['more exceptions than 64', { op: 'read', heads: [], missing: Array.from({ length: 65 }, () => 'a') }],
    ['an id with a slash', { op: 'delete', order: 1, message: '../a' }],
    ['an unknown rule', { op: 'rule', order: 1, rule: 'always' }],
  ])('refuse %s', (_, operation) => {
    expect(decodeRoomOperation(cbor.encode({ v: 1, ...operation })).kind).toBe('corrupt')
  })

  it('refuse what is too large before it is decoded', () => {
    expect(decodeRoomOperation(new Uint8Array(160 * 1024 + 1))).toEqual({
      kind: 'corrupt',
      reason: 'operation of 163841 bytes',
    })
  })

  it(`survive ${String(MUTANTS)} mutants without a throw or a wait`, () => {
    const random = createSeededRandom('mutants')
    const originals = samples.map(encodeRoomOperation)
    let worstMs = 0
    for (let round = 0; round < MUTANTS; round++) {
      const original = originals[round % originals.length] ?? new Uint8Array()
      const [at = 0, value = 0, cut = 0, times = 0] = random.bytes(4)
      const mutant = new Uint8Array(original)
      for (let change = 0; change <= times % 4; change++) {
        mutant[(at * 7 + change * 13) % mutant.length] = value ^ (change * 31)
      }
      // processor time: a machine that is busy with others is no slow decoder
      const before = process.cpuUsage()
      const decoded = decodeRoomOperation(cut % 3 === 0 ? mutant.subarray(0, cut % mutant.length) : mutant)
      const { user, system } = process.cpuUsage(before)
      worstMs = Math.max(worstMs, (user + system) / 1_000)
      expect(['operation', 'newer', 'corrupt']).toContain(decoded.kind)
    }
    if (MUTANTS > 2_000) console.info(`worst mutant ${worstMs.toFixed(1)} ms`)
    // far above any true figure: a decoder that waits is what is looked for
    expect(worstMs).toBeLessThan(500)
  }, 600_000)

  it('survive any bytes and any value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => decodeRoomOperation(bytes)).not.toThrow()
      }),
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => decodeRoomOperation(cbor.encode({ v: 1, op: 'text', order: 1, message: value }))).not.toThrow()
      }),
    )
  })

  it('are known by ids that peers make', () => {
    expect(isRoomOperationId('01jmabc')).toBe(true)
    for (const id of ['', 'a b', '__proto__', 'x'.repeat(65), 'É']) expect(isRoomOperationId(id)).toBe(false)
  })
})
