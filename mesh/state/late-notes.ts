import { sha256 } from '@noble/hashes/sha2.js'
import type { ChatId } from '../base/index.ts'
import { toHex } from '../wire/index.ts'
import { MIRRORED_BATCH_ENTRIES } from './limits.ts'
import { encodeOperation, OPERATION_VERSION } from './operations.ts'

interface Noted {
  readonly chat: ChatId
  readonly late: ReadonlySet<string>
  readonly sequence: number
}

/** Entries for a log that say of what came whether it is late, where the log says something else so far. */
export function lateNotes({ chat, late, sequence }: Noted, seen: ReadonlyMap<string, boolean>): readonly Uint8Array[] {
  const changed = [...seen].filter(([key, isLate]) => late.has(key) !== isLate).sort(([a], [b]) => (a < b ? -1 : 1))
  return [true, false].flatMap((isLate) => {
    const keys = changed.filter(([, is]) => is === isLate).map(([key]) => key)
    return piecesOf(keys).map((of) => encodeNote(chat, { of, isLate, sequence }))
  })
}

function encodeNote(
  chat: ChatId,
  { of, isLate, sequence }: { readonly of: readonly string[]; readonly isLate: boolean; readonly sequence: number },
): Uint8Array {
  // an archive is taken in by ids: the same said again later is another note
  const said = new TextEncoder().encode([String(sequence), String(isLate), ...of].join(' '))
  const id = `late-${toHex(sha256(said).subarray(0, ID_BYTES))}`
  return encodeOperation({ v: OPERATION_VERSION, id, at: 0, op: 'late', chat, of, isLate })
}

const ID_BYTES = 16

function piecesOf(keys: readonly string[]): string[][] {
  const pieces: string[][] = []
  for (let start = 0; start < keys.length; start += MIRRORED_BATCH_ENTRIES)
    pieces.push(keys.slice(start, start + MIRRORED_BATCH_ENTRIES))
  return pieces
}
