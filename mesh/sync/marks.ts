const NUMBER_BYTES = 7
const MARK_BYTES = 2 * NUMBER_BYTES

/**
 * A short name of an envelope and of all before it in its chain: 104 bits of its hash, as two numbers from 1 to 2^52,
 * which have a place where a sequence has one.
 */
export type Mark = readonly [number, number]

/** The marks of a chain's envelopes, as small as can be: there is one for every message ever written. */
export interface Marks {
  /** Of the next envelope. */
  add(hash: Uint8Array): void
  removeLast(): void
  /** Undefined for what is not held. */
  at(sequence: number): Mark | undefined
  /** Everything, for {@link createMarks}. */
  save(): Uint8Array
}

/** Marks as they were saved, or none. */
export function createMarks(saved: Uint8Array = new Uint8Array()): Marks {
  let bytes = saved
  let count = Math.floor(saved.byteLength / MARK_BYTES)
  return {
    add(hash) {
      const at = count * MARK_BYTES
      if (at + MARK_BYTES > bytes.byteLength) {
        const larger = new Uint8Array(Math.max(MARK_BYTES, 2 * at))
        larger.set(bytes)
        bytes = larger
      }
      bytes.set(hash.subarray(0, MARK_BYTES), at)
      count += 1
    },
    removeLast() {
      count -= 1
    },
    at(sequence) {
      if (sequence < 1 || sequence > count) return undefined
      const start = (sequence - 1) * MARK_BYTES
      return [numberAt(bytes, start), numberAt(bytes, start + NUMBER_BYTES)]
    },
    save: () => bytes.slice(0, count * MARK_BYTES),
  }
}

/** True where marks were saved of so many envelopes. */
export function isMarksOf(saved: Uint8Array | undefined, count: number): boolean {
  return saved?.byteLength === count * MARK_BYTES
}

function numberAt(bytes: Uint8Array, start: number): number {
  let value = (bytes[start] ?? 0) & 0x0f
  for (let index = 1; index < NUMBER_BYTES; index++) value = value * 256 + (bytes[start + index] ?? 0)
  return value + 1
}
