import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { CHEAP } from '../../tests/kit/vault.ts'
import { encode } from '../wire/index.ts'
import { decodeKeySlots, encodeKeySlots, openSlots, passkeySlot, passphraseSlot, type KeySlots } from './key-slots.ts'

const RUNS = process.env['PLEXUS_TEST_FULL'] === '1' ? 100_000 : 1_000
const random = createSeededRandom('slots')
const ports = { random, nowMs: 1_700_000_000_000 }
const storeKey = random.bytes(32)
const passphrase = 'a heron in the rain'
const answer = { name: 'key', credential: random.bytes(40), salt: random.bytes(32), prf: random.bytes(32) }
const slots: KeySlots = {
  version: 1,
  isSealed: true,
  slots: [await passphraseSlot(storeKey, passphrase, CHEAP, ports), await passkeySlot(storeKey, answer, ports)],
}
const stored = encodeKeySlots(slots)

test('slots are read as they were written, and whatever else is there is said to be damaged', async () => {
  expect(decodeKeySlots(stored)).toEqual(slots)
  const changed = fc.tuple(fc.nat(stored.byteLength - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
    const bytes = stored.slice()
    bytes[at] = (bytes[at] ?? 0) ^ by
    return bytes
  })
  const cut = fc.nat(stored.byteLength - 1).map((length) => stored.subarray(0, length))
  fc.assert(
    fc.property(fc.oneof(changed, cut, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      try {
        // a byte of a box or a name: read, and opened by nothing
        expect(decodeKeySlots(bytes).slots.length).toBeGreaterThan(0)
      } catch (error) {
        expect(error).toMatchObject({ name: 'MeshError', code: 'storage-corrupt' })
      }
    }),
    { numRuns: RUNS },
  )
})

test('a cost that makes guessing cheap, or a start endless, is refused before it is used', () => {
  const [first] = slots.slots
  for (const cost of [
    { memoryKib: 8 },
    { memoryKib: 19_455 },
    { memoryKib: 2 ** 31 },
    { passes: 1 },
    { passes: 1_000_000 },
    { salt: new Uint8Array(4) },
  ]) {
    const weak = encode({ ...slots, slots: [{ ...first, ...cost }] })
    expect(() => decodeKeySlots(weak)).toThrow(expect.objectContaining({ code: 'storage-corrupt' }) as Error)
  }
  expect(() => decodeKeySlots(encode({ ...slots, slots: [] }))).toThrow(/cannot be read/)
})

test('a slot opens with its own secret alone, and not as another kind, name or cost than it was made', async () => {
  const [byPassphrase, byPasskey] = slots.slots
  if (byPassphrase?.kind !== 'passphrase' || byPasskey?.kind !== 'passkey') return
  const secret = { kind: 'passphrase', passphrase } as const
  const touch = { kind: 'passkey', slot: byPasskey.id, prf: answer.prf } as const
  expect(await openSlots(slots.slots, secret)).toEqual(storeKey)
  expect(await openSlots(slots.slots, touch)).toEqual(storeKey)
  for (const change of [{ passes: 3 }, { salt: random.bytes(16) }, { createdAt: 1 }, { box: byPasskey.box }]) {
    expect(await openSlots([{ ...byPassphrase, ...change }], secret)).toBeUndefined()
  }
  for (const change of [{ name: 'other' }, { salt: random.bytes(32) }, { credential: random.bytes(40) }]) {
    expect(await openSlots([{ ...byPasskey, ...change }], touch)).toBeUndefined()
  }
})
