import { decodeUpdate } from './update.ts'
import type { DecoderMessage } from './decoder.ts'

/**
 * The worker's side of the decoder: what it says when it is there, and to one update.
 * A second way into this folder, so that a worker loads Yjs and nothing of the peer.
 */
export const READY: DecoderMessage = { type: 'ready' }

/** The answer to one update. Never throws. */
export function replyTo(update: Uint8Array): DecoderMessage {
  try {
    return { type: 'decoded', decoded: decodeUpdate(update) }
  } catch (error) {
    return { type: 'malformed', reason: error instanceof Error ? error.message : String(error) }
  }
}
