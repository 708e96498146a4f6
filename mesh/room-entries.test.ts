import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRoomEntry, encodeRoomEntry } from './room-entries.ts'
import { decode, encode } from './wire/index.ts'
import * as z from 'zod/mini'

const anything = z.object({ i: z.string(), o: z.instanceof(Uint8Array) })
const ID = /^[a-z0-9][a-z0-9-]{0,63}$/

/** What a general decoder reads, or undefined where it refuses. */
function slowly(given: Uint8Array): { id: string; operation: Uint8Array } | undefined {
  try {
    const { i, o } = decode(given, anything, { maxBytes: 256 * 1024, what: 'An entry' })
    return ID.test(i) ? { id: i, operation: o } : undefined
  } catch {
    return undefined
  }
}

function quickly(given: Uint8Array): { id: string; operation: Uint8Array } | undefined {
  try {
    return decodeRoomEntry(given)
  } catch {
    return undefined
  }
}

const entries = fc.record({
  id: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/),
  operation: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 200, max: 70_000 }).map((length) => new Uint8Array(length).fill(9))), // prettier-ignore
})

test('an entry is read as it was written, whatever the length of its parts', () => {
  fc.assert(
    fc.property(entries, (entry) => {
      const read = decodeRoomEntry(encodeRoomEntry(entry))
      expect(read.id).toBe(entry.id)
      expect([...read.operation]).toEqual([...entry.operation])
    }),
  )
})

test('the short way reads nothing that the long way refuses, and the same where both read', () => {
  const mutant = fc.record({
    entry: fc.record({ id: fc.stringMatching(/^[a-z0-9]{36}$/), operation: fc.uint8Array({ maxLength: 300 }) }),
    at: fc.nat(400),
    byte: fc.integer({ min: 0, max: 255 }),
    cut: fc.nat(8),
  })
  fc.assert(
    fc.property(mutant, ({ entry, at, byte, cut }) => {
      const bytes = encodeRoomEntry(entry)
      bytes[at % Math.min(bytes.length, 48)] = byte
      const given = bytes.subarray(0, bytes.length - (cut > 4 ? cut : 0))
      expect(quickly(given)).toEqual(slowly(given))
    }),
    { numRuns: 3_000 },
  )
})

test('a second name, a number in a longer form and bytes behind the end are refused', () => {
  const [id, operation] = ['a'.repeat(36), new Uint8Array(40).fill(1)]
  const good = encode({ i: id, o: operation })
  const longer = Uint8Array.from([...good.subarray(0, good.length - 42), 0x59, 0, 40, ...operation])
  for (const bad of [Uint8Array.from([...good, 0]), longer, encode({ i: `${id}!`, o: operation }), encode([id])]) {
    expect(quickly(bad)).toBeUndefined()
  }
})
