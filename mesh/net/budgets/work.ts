import type { Clock } from '../../base/index.ts'

/** A piece of work that goes on: told in the end how long the processor was at it. */
export interface Piece {
  /** Ends it, or interrupts it while it waits for somebody else. Once more changes nothing. */
  stop(): void
}

/** Measures work that waits in between for the disk or for keys, and goes on beside other work. */
export interface WorkMeter {
  /** Begins a piece; `charge` hears its ms when it stops. */
  start(charge: (workMs: number) => void): Piece
}

/**
 * The time that the processor is at work, shared evenly by the pieces that go on: together
 * they are never charged more than there was. Where the platform does not tell it, all
 * time counts, waiting too.
 */
export function createWorkMeter(clock: Pick<Clock, 'monotonic' | 'busyMs'>): WorkMeter {
  const going = new Set<{ workMs: number }>()
  const now = (): number => clock.busyMs?.() ?? clock.monotonic()
  let at = now()
  const share = (): void => {
    const elapsed = now() - at
    at += elapsed
    for (const piece of going) piece.workMs += elapsed / going.size
  }
  return {
    start(charge) {
      share()
      const piece = { workMs: 0 }
      going.add(piece)
      return {
        stop() {
          if (!going.has(piece)) return
          share()
          going.delete(piece)
          charge(piece.workMs)
        },
      }
    },
  }
}
