import { createSubscriber } from 'svelte/reactivity'

/** The wall clock for screens: ticks only while somebody looks at it. */
export class Ticker {
  readonly #subscribe: () => void

  constructor(everyMs: number) {
    this.#subscribe = createSubscriber((update) => {
      const timer = setInterval(update, everyMs)
      return () => {
        clearInterval(timer)
      }
    })
  }

  /** ms since 1970, fresh at each tick. */
  get now(): number {
    this.#subscribe()
    return Date.now()
  }
}
