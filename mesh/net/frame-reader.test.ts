import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { expect, test } from 'vitest'
import { randomInt } from '../base/index.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { createFrameReader, lengthPrefix } from './frame-reader.ts'

/** A stream as far as a reader needs it; what comes while it is paused waits in it. */
function fakeStream() {
  const target = new EventTarget()
  const unread = new Uint8ArrayList()
  const state = { readStatus: 'readable', remoteWriteStatus: 'writable', paused: 0, resumed: 0 }
  const flush = (): void => {
    if (state.readStatus !== 'readable' || unread.byteLength === 0) return
    const data = unread.sublist()
    unread.consume(data.byteLength)
    target.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
  const stream = {
    get readStatus() {
      return state.readStatus
    },
    get remoteWriteStatus() {
      return state.remoteWriteStatus
    },
    get readBufferLength() {
      return unread.byteLength
    },
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
    pause() {
      state.readStatus = 'paused'
      state.paused += 1
    },
    resume() {
      state.readStatus = 'readable'
      state.resumed += 1
      flush()
    },
  }
  return {
    stream: stream as unknown as Stream,
    state,
    unread,
    come(bytes: Uint8Array) {
      unread.append(bytes)
      flush()
    },
    end() {
      state.remoteWriteStatus = 'closed'
      target.dispatchEvent(new Event('remoteCloseWrite'))
    },
    cut() {
      state.remoteWriteStatus = 'closed'
      target.dispatchEvent(new Event('close'))
    },
  }
}

const MAX = 1024 * 1024
const framed = (data: Uint8Array): Uint8Array => Buffer.concat([lengthPrefix(data.byteLength), data])

test('frames come out as they were put in, in whatever pieces they come', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = createSeededRandom(seed)
    const frames = Array.from({ length: 30 }, () =>
      random.bytes(randomInt(random, 5) === 0 ? 200_000 : randomInt(random, 300)),
    )
    const { stream, come, end } = fakeStream()
    const reader = createFrameReader(stream, MAX)
    const all = Buffer.concat(frames.map(framed))
    const read = (async () => {
      const got: Uint8Array[] = []
      for (let count = 0; count < frames.length; count++) got.push(await reader.next({}))
      return got
    })()
    for (let at = 0; at < all.byteLength;) {
      const size = 1 + randomInt(random, 100_000)
      come(all.subarray(at, at + size))
      at += size
      if (randomInt(random, 3) === 0) await Promise.resolve()
    }
    end()
    const got = await read
    expect(got.map((one) => Buffer.compare(one, frames[got.indexOf(one)] ?? new Uint8Array()))).toEqual(
      frames.map(() => 0),
    )
    await expect(reader.next({})).rejects.toMatchObject({ code: 'peer-gone' })
  }
})

test('what nobody asks for is not taken: the sender is told to wait, and goes on when somebody reads', async () => {
  const { stream, state, unread, come } = fakeStream()
  const reader = createFrameReader(stream, MAX)
  for (let count = 0; count < 100; count++) come(framed(new Uint8Array(10_000)))
  expect(state.readStatus).toBe('paused')
  expect(unread.byteLength).toBeGreaterThan(900_000)
  for (let count = 0; count < 100; count++) expect((await reader.next({})).byteLength).toBe(10_000)
})

test('a length above the bound is refused as soon as it is there, and one that is only declared reserves nothing', async () => {
  const { stream, come } = fakeStream()
  const reader = createFrameReader(stream, MAX)
  come(lengthPrefix(MAX + 1))
  await expect(reader.next({})).rejects.toMatchObject({ code: 'too-large' })
  const other = fakeStream()
  other.come(new Uint8Array(8).fill(0xff))
  const never = createFrameReader(other.stream, MAX)
  other.come(new Uint8Array(8).fill(0xff))
  await expect(never.next({})).rejects.toMatchObject({ code: 'too-large' })
})

test('a frame that had come before the link was cut is read, one that is not whole is not', async () => {
  const { stream, come, cut } = fakeStream()
  const reader = createFrameReader(stream, MAX)
  come(framed(new Uint8Array(80_000)))
  come(framed(new Uint8Array(90_000)))
  come(framed(new Uint8Array(10)).subarray(0, 5))
  cut()
  expect((await reader.next({})).byteLength).toBe(80_000)
  expect((await reader.next({})).byteLength).toBe(90_000)
  await expect(reader.next({})).rejects.toMatchObject({ code: 'peer-gone' })
})

test('who stops waiting loses no byte', async () => {
  const { stream, come } = fakeStream()
  const reader = createFrameReader(stream, MAX)
  const frame = framed(new Uint8Array(100).fill(7))
  come(frame.subarray(0, 50))
  const controller = new AbortController()
  const read = reader.next({ signal: controller.signal })
  controller.abort()
  await expect(read).rejects.toMatchObject({ code: 'aborted' })
  come(frame.subarray(50))
  expect(await reader.next({})).toEqual(new Uint8Array(100).fill(7))
})
