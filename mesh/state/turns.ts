/** Runs tasks one after another, in the order they were given. A task that fails does not hold up the next. */
export type Turns = <Value>(task: () => Promise<Value>) => Promise<Value>

/** See {@link Turns}. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const run = last.then(task)
    // the caller of `run` hears of its failure; here only the order counts
    last = run.catch(() => undefined)
    return run
  }
}
