/** Options of everything that takes time. */
export interface Options {
  readonly signal?: AbortSignal | undefined
}
