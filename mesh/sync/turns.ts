/** Work on one document goes one after another. What fails does not keep the next from its turn. */
export interface Turns {
  run<Value>(work: () => Promise<Value>): Promise<Value>
  /** Resolves when everything asked for so far is done. */
  idle(): Promise<void>
}

/** A queue of work. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return {
    run(work) {
      const turn = last.then(work)
      last = turn.catch(() => undefined)
      return turn
    },
    async idle() {
      let seen: Promise<unknown> | undefined
      while (seen !== last) {
        seen = last
        await seen
      }
    },
  }
}
