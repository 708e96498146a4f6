import { describe, expect, it } from 'vitest'
import { matching, mentionAt, mentionsIn, segmentsOf, addresseesOf } from '../../../app/views/rooms/parts/mentions.ts'
import { threadRows } from '../../../app/views/rooms/parts/thread-rows.ts'
import {
  asId,
  ROOM_MENTIONS_MAX,
  ROOM_TEXT_MAX_LENGTH,
  type DeviceId,
  type MessageId,
} from '../../../mesh/base/index.ts'
import type { RoomMessage } from '../../../mesh/state/index.ts'
import { fakePerson } from '../../kit/preview/fake-rooms.ts'

const bob = fakePerson('Bob')
const bobby = fakePerson('Bob Martin')
const everybody = addresseesOf([bob, bobby])

describe('addressing in a room', () => {
  it('finds whom a text addresses, the longest name first, without regard to case', () => {
    expect(mentionsIn('@AI and @bob martin, hello', everybody)).toEqual(['ai', bobby.id])
    expect(mentionsIn('@Bob, are you there?', everybody)).toEqual([bob.id])
    expect(mentionsIn('(@ai)', everybody)).toEqual(['ai'])
  })

  it('addresses nobody by a longer word, an address of mail or a name that is not here', () => {
    expect(mentionsIn('@aid @Bobby mail@ai.example @Carol @', everybody)).toEqual([])
  })

  it('keeps every character of the text in its pieces', () => {
    for (const text of ['@ai', 'a @Bob b @ai c', '@@ai', 'none', '']) {
      expect(
        segmentsOf(text, everybody)
          .map((segment) => segment.text)
          .join(''),
      ).toBe(text)
    }
  })

  it('is drawn in a bounded number of pieces and in time in proportion, whatever the text is made of', () => {
    const people = Array.from({ length: 100 }, (_, index) => fakePerson(`Person ${String(index)}`))
    const all = addresseesOf(people)
    for (const sign of ['@', '@ai ', '@@ai', '@Person 9 ', 'a@ai ', '@P', '@ai\n']) {
      const text = sign.repeat(Math.floor(ROOM_TEXT_MAX_LENGTH / sign.length))
      const before = process.cpuUsage()
      const segments = segmentsOf(text, all)
      const { user } = process.cpuUsage(before)
      // 47 ms when every sign was looked at, and 16,384 pieces
      expect(user / 1_000, sign).toBeLessThan(40)
      expect(segments.filter(({ isMention }) => isMention).length, sign).toBeLessThanOrEqual(ROOM_MENTIONS_MAX)
      expect(segments.length, sign).toBeLessThanOrEqual(2 * ROOM_MENTIONS_MAX + 1)
      expect(segments.map((segment) => segment.text).join('')).toBe(text)
      expect(mentionsIn(text, all).length).toBeLessThanOrEqual(ROOM_MENTIONS_MAX)
    }
  })

  it('finds as many as an operation may name, behind other signs too', () => {
    const text = `${'@'.repeat(100)} ${'@Bob '.repeat(ROOM_MENTIONS_MAX)}@ai`
    const found = segmentsOf(text, everybody).filter(({ isMention }) => isMention)
    expect(found.map((segment) => segment.text)).toEqual(Array.from({ length: ROOM_MENTIONS_MAX }, () => '@Bob'))
    expect(mentionsIn(`${'@'.repeat(100)} @Bob`, everybody)).toEqual([bob.id])
  })

  it('offers names while one is written behind an @', () => {
    expect(mentionAt('hello @b', 8)).toEqual({ from: 6, wanted: 'b' })
    expect(mentionAt('hello @b and', 12)).toBeUndefined()
    expect(mentionAt('a@b', 3)).toBeUndefined()
    expect(matching(everybody, 'b').map((each) => each.name)).toEqual(['Bob', 'Bob Martin'])
    expect(matching(everybody, 'mar').map((each) => each.name)).toEqual(['Bob Martin'])
    expect(matching(everybody, '').map((each) => each.name)).toEqual(['ai', 'Bob', 'Bob Martin'])
  })
})

describe('the lines of a room', () => {
  const at = (day: number): RoomMessage => ({
    kind: 'message',
    id: asId<MessageId>(`m${String(day)}`),
    device: asId<DeviceId>('d'),
    writtenAt: new Date(2026, 10, day, 12).getTime(),
    unread: false,
    person: bob.id,
    own: false,
    state: 'here',
    text: '',
    mentions: [],
    attachments: [],
    edited: false,
  })

  it('begin each day and what is unread, and are the last ones only', () => {
    const items = [at(1), { ...at(1), id: asId<MessageId>('again') }, at(2), at(3)]
    const kinds = threadRows(items, 10, asId<MessageId>('m3')).map((row) => row.kind)
    expect(kinds).toEqual(['day', 'message', 'message', 'day', 'message', 'day', 'unread', 'message'])
    expect(threadRows(items, 2, undefined).map((row) => row.kind)).toEqual(['day', 'message', 'day', 'message'])
  })
})
