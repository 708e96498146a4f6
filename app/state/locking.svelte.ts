import type { LockView } from '../../mesh/seal/index.ts'
import type { PageLock } from '../lock/index.ts'

/** The locks of this page's data, fresh after every change. */
export class Locking {
  readonly #lock: PageLock | undefined
  #locks = $state.raw<readonly LockView[]>([])
  #offersPasskey = $state(false)

  constructor(lock: PageLock | undefined) {
    this.#lock = lock
  }

  /** False where nothing is stored that could be locked. */
  get isPossible(): boolean {
    return this.#lock !== undefined
  }
  get locks(): readonly LockView[] {
    return this.#locks
  }
  get offersPasskey(): boolean {
    return this.#offersPasskey
  }
  /** Reads the locks, and again after every change; returns what ends that. */
  listen(onTrouble: (error: unknown) => void): () => void {
    const refresh = (): void => {
      this.#refresh().catch(onTrouble)
    }
    refresh()
    return this.#lock?.changes.subscribe(refresh) ?? ((): void => {})
  }
  async setPassphrase(passphrase: string): Promise<void> {
    await this.#lock?.setPassphrase(passphrase)
  }
  async addPasskey(name: string): Promise<void> {
    await this.#lock?.addPasskey(name)
  }
  async remove(id: string): Promise<void> {
    await this.#lock?.removeLock(id)
  }

  async #refresh(): Promise<void> {
    if (this.#lock === undefined) return
    const [locks, offersPasskey] = await Promise.all([this.#lock.locks(), this.#lock.offersPasskey()])
    this.#locks = locks
    this.#offersPasskey = offersPasskey
  }
}
