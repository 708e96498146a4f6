import { describe, expect, it } from 'vitest'
import { plainExcerpt } from '../../../app/views/chat/parts/chat-list.ts'
import { failureWords } from '../../../app/views/chat/parts/failure-words.ts'

describe('why an answer failed', () => {
  const closed = { code: 'aborted', message: 'This answer was interrupted.' } as const

  it('is not a device that went away when none had come before the page was closed', () => {
    expect(failureWords({ error: closed, text: '', route: undefined })).toMatch(/^No device could answer/)
  })
  it('is the page when it was closed in mid-answer', () => {
    expect(failureWords({ error: closed, text: 'Once upon', route: undefined })).toMatch(/^The page that wrote it/)
  })
  it('is the device when that went away', () => {
    const error = { code: 'peer-gone', message: 'Gone.' } as const
    expect(failureWords({ error, text: '', route: undefined })).toMatch(/^The device went away/)
  })
  it('is the removal when one of the two was removed, and that alone when nothing was written yet', () => {
    const error = { code: 'removed', message: 'Removed.' } as const
    expect(failureWords({ error, text: 'Once upon', route: undefined })).toMatch(/^One of the two devices was removed/)
    expect(failureWords({ error, text: '', route: undefined })).toMatch(/^This device was removed/)
  })
})

it('the list of chats shows words, not the signs of Markdown', () => {
  expect(plainExcerpt('```python def add(a, b): return a + b ```')).toBe('def add(a, b): return a + b')
  expect(plainExcerpt('## Planets **Mars** is `red`')).toBe('Planets Mars is red')
})
