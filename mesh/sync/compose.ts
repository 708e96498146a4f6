import {
  MeshError,
  SYNC_ERASES_MAX,
  SYNC_OPERATION_MAX_BYTES,
  SYNC_OPERATIONS_MAX,
  SYNC_UPDATE_MAX_BYTES,
} from '../base/index.ts'
import { entryPlace } from './kinds.ts'
import type { ClockRange } from './update.ts'

/** What one envelope is to hold. */
export interface Piece {
  readonly values: readonly Uint8Array[]
  readonly erases: readonly ClockRange[]
}

/** Most an entry adds to an update beside its bytes: root, key, lengths. */
const ENTRY_OVERHEAD_BYTES = 64

/** Cuts a local change into pieces that fit an envelope each. @throws MeshError `too-large` */
export function piecesOf(values: readonly Uint8Array[], erasedKeys: readonly string[]): Piece[] {
  const groups = groupsOf(values)
  const ranges = rangesOf(erasedKeys)
  const count = Math.max(groups.length, Math.ceil(ranges.length / SYNC_ERASES_MAX))
  return Array.from({ length: count }, (_, index) => ({
    values: groups[index] ?? [],
    erases: ranges.slice(index * SYNC_ERASES_MAX, (index + 1) * SYNC_ERASES_MAX),
  }))
}

function groupsOf(values: readonly Uint8Array[]): Uint8Array[][] {
  const groups: Uint8Array[][] = []
  let size = Infinity
  for (const value of values) {
    if (value.byteLength > SYNC_OPERATION_MAX_BYTES)
      throw new MeshError('too-large', `One entry is larger than ${String(SYNC_OPERATION_MAX_BYTES)} bytes.`, {
        detail: { maxBytes: SYNC_OPERATION_MAX_BYTES, gotBytes: value.byteLength },
        fault: 'user',
      })
    const cost = value.byteLength + ENTRY_OVERHEAD_BYTES
    const last = groups.at(-1)
    if (last === undefined || last.length >= SYNC_OPERATIONS_MAX || size + cost > SYNC_UPDATE_MAX_BYTES - 64) {
      groups.push([value])
      size = cost
    } else {
      last.push(value)
      size += cost
    }
  }
  return groups
}

/** Entry keys as ranges, neighbours together. */
function rangesOf(keys: readonly string[]): ClockRange[] {
  const places = keys.flatMap((key) => entryPlace(key) ?? [])
  places.sort((a, b) => a.chain - b.chain || a.clock - b.clock)
  const ranges: ClockRange[] = []
  for (const place of places) {
    const last = ranges.at(-1)
    if (last !== undefined && last.chain === place.chain && last.clock + last.count === place.clock)
      ranges[ranges.length - 1] = { ...last, count: last.count + 1 }
    else ranges.push(place)
  }
  return ranges
}
