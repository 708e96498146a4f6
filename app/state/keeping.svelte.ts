/** How this browser keeps what is stored here. */
export interface KeepingState {
  /** True: not deleted unless the person asks. Undefined: the browser does not say. */
  readonly persistent: boolean | undefined
  readonly usedBytes: number | undefined
  readonly quotaBytes: number | undefined
}

/** The browser's own word on its storage, and the wish to keep it. */
export class Keeping {
  readonly #storage: StorageManager | undefined
  #state = $state.raw<KeepingState>({ persistent: undefined, usedBytes: undefined, quotaBytes: undefined })

  constructor(storage: StorageManager | undefined) {
    this.#storage = storage
  }

  get state(): KeepingState {
    return this.#state
  }
  /** Reads the state again. */
  async refresh(): Promise<void> {
    const [persistent, estimate] = await Promise.all([this.#storage?.persisted(), this.#storage?.estimate()])
    this.#state = { persistent, usedBytes: estimate?.usage, quotaBytes: estimate?.quota }
  }
  /** Asks the browser to keep what is stored here. False: it did not agree. */
  async ask(): Promise<boolean> {
    const kept = (await this.#storage?.persist()) ?? false
    await this.refresh()
    return kept
  }
}
