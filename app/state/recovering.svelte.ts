import { asMeshError, type ErrorCode, type MeshError } from '../../mesh/base/index.ts'
import type { AppPeer } from '../peer/app-peer.ts'

/** After these it may help to name another place than the helper of this page. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set(['no-helper', 'offline', 'timeout', 'recovery-unknown', 'usage'])

/** Coming back by recovery words. It goes on while one looks at other places of the page. */
export class Recovering {
  readonly #peer: AppPeer
  #phase = $state<'idle' | 'connecting' | 'proving' | 'opening' | 'done' | 'failed'>('idle')
  #failure = $state.raw<MeshError | undefined>()
  #wantsPlace = $state(false)
  #own: AbortController | undefined

  constructor(peer: AppPeer) {
    this.#peer = peer
  }

  get phase(): 'idle' | 'connecting' | 'proving' | 'opening' | 'done' | 'failed' {
    return this.#phase
  }
  get isBusy(): boolean {
    return this.#phase === 'connecting' || this.#phase === 'proving' || this.#phase === 'opening'
  }
  /** While `failed`. */
  get failure(): MeshError | undefined {
    return this.#failure
  }
  /** The helper of this page did not do: somebody has to say where another device is. */
  get wantsPlace(): boolean {
    return this.#wantsPlace
  }

  /** True once this device is in. A failure is in `failure`. */
  async recover(secret: string, place: string | undefined): Promise<boolean> {
    this.cancel()
    const own = new AbortController()
    this.#own = own
    this.#phase = 'connecting'
    try {
      await this.#peer.recover(secret, {
        place,
        signal: own.signal,
        onProgress: (phase) => {
          if (this.#own === own) this.#phase = phase
        },
      })
      this.#end(own, 'done')
      return true
    } catch (error) {
      const known = asMeshError(error)
      this.#failure = known
      if (this.#own === own && ELSEWHERE.has(known.code)) this.#wantsPlace = true
      this.#end(own, 'failed')
      return false
    }
  }

  cancel(): void {
    const own = this.#own
    if (own !== undefined) this.#end(own, 'idle')
    own?.abort()
  }

  /** What was done is seen. */
  dismiss(): void {
    if (!this.isBusy) this.#phase = 'idle'
  }

  #end(own: AbortController, phase: 'idle' | 'done' | 'failed'): void {
    if (this.#own !== own) return
    this.#own = undefined
    this.#phase = phase
  }
}
