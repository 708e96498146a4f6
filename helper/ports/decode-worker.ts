import { parentPort } from 'node:worker_threads'
import { READY, replyTo } from '../../mesh/sync/decoding.ts'

// The thread in which foreign updates are read: one in, one answer out.
parentPort?.on('message', (update: Uint8Array) => {
  parentPort?.postMessage(replyTo(update))
})
parentPort?.postMessage(READY)
