/** Bytes that come in pieces and are taken in others. */
export interface ByteQueue {
  /** How many wait. */
  readonly length: number
  /** Adds a piece; it is not copied until it is taken. */
  push(piece: Uint8Array): void
  /** The next `count` bytes, or all there are when they are fewer; owned by the caller. */
  take(count: number): Uint8Array<ArrayBuffer>
  /** The same, and they stay. */
  peek(count: number): Uint8Array<ArrayBuffer>
}

/** An empty queue. */
export function createByteQueue(): ByteQueue {
  const pieces: Uint8Array[] = []
  let length = 0

  const peek = (count: number): Uint8Array<ArrayBuffer> => {
    const seen = new Uint8Array(Math.min(count, length))
    let at = 0
    for (const piece of pieces) {
      if (at === seen.byteLength) break
      const part = piece.subarray(0, seen.byteLength - at)
      seen.set(part, at)
      at += part.byteLength
    }
    return seen
  }

  return {
    get length() {
      return length
    },
    push(piece) {
      if (piece.byteLength === 0) return
      pieces.push(piece)
      length += piece.byteLength
    },
    take(count) {
      const taken = peek(count)
      for (let left = taken.byteLength; left > 0;) {
        const [first] = pieces
        if (first === undefined) break
        if (first.byteLength > left) pieces[0] = first.subarray(left)
        else pieces.shift()
        left -= Math.min(left, first.byteLength)
      }
      length -= taken.byteLength
      return taken
    },
    peek,
  }
}
