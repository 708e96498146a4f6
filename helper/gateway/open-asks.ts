import { abortReason, type MeshError } from '../../mesh/base/index.ts'

/** One ask on its way: its signal, and what ends it. */
export interface OpenAsk {
  readonly signal: AbortSignal
  abort(reason: MeshError): void
  /** The ask is over; the client's signal is let go. */
  release(): void
}

/** Every ask on its way, so that a closing gateway can end them all. */
export interface OpenAsks {
  /** An ask that ends with the client's signal. */
  open(client: AbortSignal): OpenAsk
  abortAll(reason: MeshError): void
  readonly size: number
}

/** An empty list of asks. */
export function createOpenAsks(): OpenAsks {
  const controllers = new Set<AbortController>()
  return {
    get size() {
      return controllers.size
    },
    open(client) {
      const controller = new AbortController()
      const onClientGone = (): void => {
        controller.abort(abortReason(client))
      }
      controllers.add(controller)
      if (client.aborted) onClientGone()
      else client.addEventListener('abort', onClientGone, { once: true })
      return {
        signal: controller.signal,
        abort(reason) {
          controller.abort(reason)
        },
        release() {
          controllers.delete(controller)
          client.removeEventListener('abort', onClientGone)
        },
      }
    },
    abortAll(reason) {
      for (const controller of [...controllers]) controller.abort(reason)
    },
  }
}
