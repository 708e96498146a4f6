import { Worker } from 'node:worker_threads'
import { SYNC_DECODE_HEAP_MIB, type Clock, type Logger } from '../../mesh/base/index.ts'
import { createWatchedDecoder, type Decoder, type DecoderMessage } from '../../mesh/sync/index.ts'

/** The bundled program beside this one. */
const BUNDLED = new URL('decode-worker.js', import.meta.url)

/**
 * The decoder of a helper: a thread with its own, small heap. A hostile update kills
 * that thread and nothing else.
 */
export function createThreadDecoder(
  ports: { readonly clock: Clock; readonly log: Logger },
  file: URL = BUNDLED,
): Decoder {
  return createWatchedDecoder((on) => {
    const worker = new Worker(file, {
      // neither secrets of the environment nor flags of this process are its business
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: SYNC_DECODE_HEAP_MIB, maxYoungGenerationSizeMb: 32 },
    })
    // a helper that wants to end is not kept by it
    worker.unref()
    worker.on('message', (message: DecoderMessage) => {
      on.message(message)
    })
    worker.on('error', (error: Error) => {
      on.end(error.message)
    })
    worker.on('exit', () => {
      on.end('exit')
    })
    return {
      post(update) {
        worker.postMessage(update)
      },
      kill() {
        void worker.terminate()
      },
    }
  }, ports)
}
