import { expect, test } from 'vitest'
import type { DeviceId, InvitationId, MeshId } from '../base/index.ts'
import { PICTURES } from './picture-names.ts'
import { comparePictures, commitmentOf, equalBytes, NONCE_BYTES, PICTURE_COUNT, type Comparison } from './proof.ts'

const nonces = { joiner: new Uint8Array(NONCE_BYTES).fill(3), inviter: new Uint8Array(NONCE_BYTES).fill(4) }
const what: Comparison = {
  mesh: 'a1'.repeat(32) as MeshId,
  invitation: 'b2'.repeat(16) as InvitationId,
  inviter: 'alice' as DeviceId,
  joiner: 'bob' as DeviceId,
  certificate: new Uint8Array(32).fill(5),
}
const others: readonly Comparison[] = [
  { ...what, mesh: 'a2'.repeat(32) as MeshId },
  { ...what, invitation: 'b3'.repeat(16) as InvitationId },
  { ...what, inviter: 'carol' as DeviceId },
  { ...what, joiner: 'mallory' as DeviceId },
  { ...what, certificate: new Uint8Array(32).fill(6) },
]

test('both sides compute the same pictures, and of anything else others', () => {
  expect(comparePictures(what, nonces)).toHaveLength(PICTURE_COUNT)
  expect(comparePictures({ ...what }, { ...nonces })).toEqual(comparePictures(what, nonces))
  for (const other of others) expect(comparePictures(other, nonces)).not.toEqual(comparePictures(what, nonces))
  for (const side of ['joiner', 'inviter'] as const) {
    const changed = { ...nonces, [side]: new Uint8Array(NONCE_BYTES).fill(9) }
    expect(comparePictures(what, changed)).not.toEqual(comparePictures(what, nonces))
  }
})

test('a commitment binds to one number, one device and one invitation', () => {
  const commitment = commitmentOf(nonces.joiner, what)
  expect(equalBytes(commitmentOf(nonces.joiner, { ...what }), commitment)).toBe(true)
  expect(equalBytes(commitmentOf(nonces.inviter, what), commitment)).toBe(false)
  for (const other of others) expect(equalBytes(commitmentOf(nonces.joiner, other), commitment)).toBe(false)
})

test('there are 64 pictures, so that six of them are 36 bits', () => {
  expect(new Set(PICTURES).size).toBe(64)
  expect(PICTURE_COUNT * Math.log2(PICTURES.length)).toBe(36)
})

test('bytes of different length are never equal', () => {
  expect(equalBytes(new Uint8Array(0), new Uint8Array(1))).toBe(false)
})
