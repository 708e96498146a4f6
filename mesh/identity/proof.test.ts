import { expect, test } from 'vitest'
import type { DeviceId } from '../base/index.ts'
import { comparePictures, equalBytes } from './proof.ts'

const alice = 'alice' as DeviceId
const bob = 'bob' as DeviceId
const mallory = 'mallory' as DeviceId
test('both sides compute the same four pictures, and another device other ones', () => {
  const nonce = new Uint8Array(16).fill(3)
  expect(comparePictures(alice, bob, nonce)).toHaveLength(4)
  expect(comparePictures(alice, bob, nonce)).toEqual(comparePictures(alice, bob, nonce.slice()))
  expect(comparePictures(alice, mallory, nonce)).not.toEqual(comparePictures(alice, bob, nonce))
})

test('bytes of different length are never equal', () => {
  expect(equalBytes(new Uint8Array(0), new Uint8Array(1))).toBe(false)
})
