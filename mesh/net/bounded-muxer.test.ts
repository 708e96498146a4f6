import { expect, test } from 'vitest'
import { randomInt } from '../base/index.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { followLengths } from './bounded-muxer.ts'

function frame(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12 + (type === 0 ? length : 0))
  bytes[1] = type
  new DataView(bytes.buffer).setUint32(8, length)
  return bytes
}

test('frames below the bound pass in whatever pieces they come, one above it does not', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createSeededRandom(seed)
    const frames = Array.from({ length: 40 }, () => frame(randomInt(random, 4), randomInt(random, 1_000)))
    const last = frame(0, 0)
    new DataView(last.buffer).setUint32(8, 1_001)
    const all = Buffer.concat([...frames, last])
    const follow = followLengths(1_000)
    const verdicts: boolean[] = []
    for (let at = 0; at < all.byteLength;) {
      const size = 1 + randomInt(random, 700)
      verdicts.push(follow(all.subarray(at, at + size)))
      at += size
    }
    expect(verdicts.indexOf(false)).toBe(verdicts.length - 1)
  }
})

test('a window of any size may be opened: it is no data', () => {
  expect(followLengths(1_000)(frame(1, 2 ** 31))).toBe(true)
})
