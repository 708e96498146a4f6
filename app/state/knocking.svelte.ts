import { asMeshError, type ErrorCode } from '../../mesh/base/index.ts'
import type { AppPeer } from '../peer/app-peer.ts'

/**
 * Joining by six words. It goes on while one looks at other places of the page: a
 * device that stopped knocking in the moment it is admitted would be in the ledger of
 * a mesh that it has not joined.
 */
export class Knocking {
  readonly #peer: AppPeer
  #phase = $state<'idle' | 'finding' | 'shown' | 'failed'>('idle')
  #words = $state.raw<readonly string[]>([])
  #failure = $state<ErrorCode>('bug')
  #own: AbortController | undefined

  constructor(peer: AppPeer) {
    this.#peer = peer
  }

  get phase(): 'idle' | 'finding' | 'shown' | 'failed' {
    return this.#phase
  }
  /** While `shown`. */
  get words(): readonly string[] {
    return this.#words
  }
  /** While `failed`. */
  get failure(): ErrorCode {
    return this.#failure
  }

  /** Shows fresh words; true once the device was admitted. A failure is in `failure`. */
  async show(): Promise<boolean> {
    this.cancel()
    const own = new AbortController()
    this.#own = own
    this.#phase = 'finding'
    try {
      await this.#peer.knock({
        signal: own.signal,
        onWords: (words) => {
          if (this.#own !== own) return
          this.#words = words
          this.#phase = 'shown'
        },
      })
      this.#end(own, 'idle')
      return true
    } catch (error) {
      this.#failure = asMeshError(error).code
      this.#end(own, 'failed')
      return false
    }
  }

  /** Nobody is let in by the words any more. */
  cancel(): void {
    const own = this.#own
    if (own !== undefined) this.#end(own, 'idle')
    own?.abort()
  }

  #end(own: AbortController, phase: 'idle' | 'failed'): void {
    if (this.#own !== own) return
    this.#own = undefined
    this.#words = []
    this.#phase = phase
  }
}
