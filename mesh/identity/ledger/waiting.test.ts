import { expect, test } from 'vitest'
import { LEDGER_WAITING_MAX, LEDGER_WAITING_MAX_BYTES, type DeviceId, type EntryHash } from '../../base/index.ts'
import type { LedgerEntry } from './entry.ts'
import { createWaiting } from './waiting.ts'

const entry = (index: number, sizeBytes: number): LedgerEntry => ({
  hash: String(index) as EntryHash,
  author: 'a' as DeviceId,
  parents: [],
  at: 0,
  fields: { type: 'unknown' },
  certificate: undefined,
  bytes: new Uint8Array(sizeBytes),
})

test('no more wait than the limit says: the oldest is forgotten', () => {
  const waiting = createWaiting()
  for (let index = 0; index < LEDGER_WAITING_MAX + 3; index++) waiting.add({ entry: entry(index, 1), isStored: false })
  expect(waiting.size).toBe(LEDGER_WAITING_MAX)
  expect([waiting.has('2' as EntryHash), waiting.has('3' as EntryHash)]).toEqual([false, true])
})

test('nor more bytes, counted again when one is gone', () => {
  const waiting = createWaiting()
  const half = LEDGER_WAITING_MAX_BYTES / 2
  waiting.add({ entry: entry(1, half), isStored: false })
  waiting.add({ entry: entry(1, half), isStored: false })
  waiting.add({ entry: entry(2, half), isStored: false })
  expect(waiting.size).toBe(2)
  waiting.delete('1' as EntryHash)
  waiting.add({ entry: entry(3, half), isStored: false })
  expect(waiting.size).toBe(2)
  waiting.add({ entry: entry(4, half), isStored: false })
  expect(waiting.all().map(({ entry: { hash } }) => hash)).toEqual(['3', '4'])
})
