import { expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createOutbox } from './outbox.ts'

interface Frame {
  readonly kind?: string
  readonly name: string
  readonly bytes?: number
}

function createBox(maxBytes = 100) {
  const clock = createVirtualClock()
  const sent: string[] = []
  const failures: unknown[] = []
  let release: () => void = () => undefined
  const outbox = createOutbox<Frame>({
    clock,
    send: ({ name }) => {
      sent.push(name)
      return new Promise<void>((resolve) => {
        release = resolve
      })
    },
    kindOf: ({ kind }) => kind,
    sizeOf: ({ bytes }) => bytes ?? 0,
    maxBytes,
    stallMs: 10_000,
    onFailure: (reason) => failures.push(reason),
  })
  const next = async (): Promise<void> => {
    release()
    await clock.advanceAsync(0)
  }
  return { clock, sent, failures, outbox, next }
}

test('one frame is on its way, the others wait for it', async () => {
  const { outbox, sent, next } = createBox()
  for (const name of ['a', 'b', 'c']) outbox.put({ name })
  expect(sent).toEqual(['a'])
  await next()
  await next()
  expect(sent).toEqual(['a', 'b', 'c'])
})

test('of frames that say a state only the newest waits, whatever somebody else makes this device say', async () => {
  const { outbox, sent, next } = createBox()
  for (let count = 0; count < 10_000; count++) outbox.put({ kind: 'echo', name: `echo ${String(count)}` })
  expect(outbox.waiting).toBe(1)
  await next()
  expect(sent).toEqual(['echo 0', 'echo 9999'])
})

test('what each counts is bounded in bytes, and a state that follows it comes after it', async () => {
  const { outbox, sent, next } = createBox(100)
  outbox.put({ name: 'first' })
  outbox.put({ kind: 'heads', name: 'old heads' })
  outbox.put({ name: 'entries', bytes: 60 })
  outbox.put({ name: 'too much', bytes: 60 })
  outbox.put({ kind: 'heads', name: 'heads' })
  for (let count = 0; count < 4; count++) await next()
  expect(sent).toEqual(['first', 'entries', 'heads'])
  outbox.put({ name: 'room again', bytes: 100 })
  expect(sent.at(-1)).toBe('room again')
})

test('who takes nothing is given up, once, and nothing is kept for them', async () => {
  const { clock, outbox, failures } = createBox()
  outbox.put({ name: 'a' })
  outbox.put({ name: 'b' })
  await clock.advanceAsync(10_001)
  expect(failures).toEqual([expect.objectContaining({ code: 'timeout' })])
  outbox.put({ name: 'c' })
  expect(outbox.waiting).toBe(0)
})
