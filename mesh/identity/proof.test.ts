import { expect, test } from 'vitest'
import type { DeviceId } from '../base/index.ts'
import { comparePictures, equalBytes, invitationIdOf, joinProof } from './proof.ts'

const alice = 'alice' as DeviceId
const bob = 'bob' as DeviceId
const mallory = 'mallory' as DeviceId
const secret = new Uint8Array(16).fill(1)

test('a proof is worth nothing to another inviter, another joiner or with another secret', () => {
  const proof = joinProof(secret, alice, bob)
  expect(equalBytes(proof, joinProof(secret, alice, bob))).toBe(true)
  for (const other of [
    joinProof(secret, alice, mallory),
    joinProof(secret, mallory, bob),
    joinProof(new Uint8Array(16).fill(2), alice, bob),
  ]) {
    expect(equalBytes(proof, other)).toBe(false)
  }
})

test('the name of an invitation says nothing about its secret', () => {
  expect(invitationIdOf(secret)).toMatch(/^[0-9a-f]{32}$/)
  expect(invitationIdOf(secret)).not.toContain('0101')
})

test('both sides compute the same four pictures, and another device other ones', () => {
  const nonce = new Uint8Array(16).fill(3)
  expect(comparePictures(alice, bob, nonce)).toHaveLength(4)
  expect(comparePictures(alice, bob, nonce)).toEqual(comparePictures(alice, bob, nonce.slice()))
  expect(comparePictures(alice, mallory, nonce)).not.toEqual(comparePictures(alice, bob, nonce))
})

test('bytes of different length are never equal', () => {
  expect(equalBytes(new Uint8Array(0), new Uint8Array(1))).toBe(false)
})
