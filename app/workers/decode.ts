import { READY, replyTo } from '../../mesh/sync/decoding.ts'

// The worker in which foreign updates are read: one in, one answer out.
addEventListener('message', ({ data }: MessageEvent<Uint8Array>) => {
  postMessage(replyTo(data))
})
postMessage(READY)
