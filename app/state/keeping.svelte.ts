import { createSubscriber } from 'svelte/reactivity'
import type { EventSource } from '../../mesh/base/index.ts'
import type { Memory } from './preferences.svelte.ts'

/** How long "Later" holds, in ms: two weeks. */
const LATER_MS = 14 * 24 * 60 * 60_000
const LATER_KEY = 'keeping.later'

/** How this browser keeps what is stored here. */
export interface KeepingState {
  /** True: not deleted unless the person asks. Undefined: the browser does not say. */
  readonly persistent: boolean | undefined
  readonly usedBytes: number | undefined
  readonly quotaBytes: number | undefined
}

/** Port: the page as an app of this device. */
export interface Install {
  readonly changes: EventSource<void>
  /** True while the browser would show its own question. */
  isOffered(): boolean
  isInstalled(): boolean
  /** Shows the browser's question. False: the person said no. */
  ask(): Promise<boolean>
}

/** Port: the word of the browser on this page's storage, and its installing. */
export interface KeepingPorts {
  /** Absent where the page came over plain HTTP. */
  readonly storage: Pick<StorageManager, 'persisted' | 'persist' | 'estimate'> | undefined
  readonly install: Install | undefined
}

/** The browser's own word on its storage, and the wish to keep it. */
export class Keeping {
  readonly #storage: KeepingPorts['storage']
  readonly #install: Install | undefined
  readonly #memory: Memory
  readonly #heardInstall: () => void
  #state = $state.raw<KeepingState>({ persistent: undefined, usedBytes: undefined, quotaBytes: undefined })
  #wasRefused = $state(false)
  #isLater: boolean

  constructor(ports: KeepingPorts, memory: Memory) {
    this.#storage = ports.storage
    this.#install = ports.install
    this.#memory = memory
    this.#isLater = $state(Number(memory.read(LATER_KEY) ?? 0) > Date.now())
    this.#heardInstall = createSubscriber((update) => ports.install?.changes.subscribe(update))
  }

  get state(): KeepingState {
    return this.#state
  }
  /** The browser was asked and did not agree: installing is what helps. */
  get wasRefused(): boolean {
    return this.#wasRefused
  }
  /** The browser may delete what is here, as far as it was read, and the person has not put it off. */
  get isWorthSaying(): boolean {
    return this.#state.persistent === false && !this.#isLater
  }
  get canInstall(): boolean {
    this.#heardInstall()
    return this.#install?.isOffered() ?? false
  }
  get isInstalled(): boolean {
    this.#heardInstall()
    return this.#install?.isInstalled() ?? false
  }
  /** Reads the state again. */
  async refresh(): Promise<void> {
    const [persistent, estimate] = await Promise.all([this.#storage?.persisted(), this.#storage?.estimate()])
    this.#state = { persistent, usedBytes: estimate?.usage, quotaBytes: estimate?.quota }
  }
  /** Asks the browser to keep what is stored here. False: it did not agree. */
  async ask(): Promise<boolean> {
    const kept = (await this.#storage?.persist()) ?? false
    this.#wasRefused = !kept
    await this.refresh()
    return kept
  }
  /** Shows the browser's question; an installed page is kept far more readily, so it asks for that at once. */
  async install(): Promise<boolean> {
    const installed = (await this.#install?.ask()) ?? false
    return installed && this.ask()
  }
  /** Says nothing more of it for two weeks. */
  putOff(): void {
    this.#isLater = true
    this.#memory.write(LATER_KEY, String(Date.now() + LATER_MS))
  }
}
