import type { Clock, Logger } from '../../mesh/base/index.ts'
import { createWatchedDecoder, type Decoder, type DecoderMessage } from '../../mesh/sync/index.ts'

/**
 * The decoder of a page: a module worker. A browser gives a worker no ceiling of its
 * own; the watchdog and the bounds of an update are what holds a hostile one.
 */
export function createWorkerDecoder(ports: { readonly clock: Clock; readonly log: Logger }): Decoder {
  return createWatchedDecoder((on) => {
    const worker = new Worker(new URL('../workers/decode.ts', import.meta.url), { type: 'module', name: 'decode' })
    worker.addEventListener('message', ({ data }: MessageEvent<DecoderMessage>) => {
      on.message(data)
    })
    worker.addEventListener('error', ({ message }) => {
      worker.terminate()
      on.end(message)
    })
    return {
      post(update) {
        worker.postMessage(update)
      },
      kill() {
        worker.terminate()
      },
    }
  }, ports)
}
