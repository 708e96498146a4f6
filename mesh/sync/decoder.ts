import type { Options } from './options.ts'

/** One struct of a Yjs update, described without Yjs. */
export interface DecodedStruct {
  readonly chain: number
  readonly clock: number
  readonly length: number
  /** Whether it is a plain entry of a root map with one byte string; anything else is described no further. */
  readonly entry: { readonly root: string; readonly key: string; readonly bytes: Uint8Array } | undefined
}

/** A Yjs update, described without Yjs. */
export interface DecodedUpdate {
  readonly structs: readonly DecodedStruct[]
  /** Ranges its delete set names. */
  readonly deletes: number
}

/**
 * Port: reads foreign Yjs updates where a hostile one can neither hold up nor kill
 * anything else: a watched worker.
 */
export interface Decoder {
  /**
   * @throws MeshError `malformed` for what is no V1 update, `timeout` or `too-large` when
   * it took more time or memory than it may and its worker was killed, `busy` when too many wait
   */
  decode(update: Uint8Array, options?: Options): Promise<DecodedUpdate>
  close(): Promise<void>
}

/** What a decoder's worker says: once that it is there, then to each update. */
export type DecoderMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'decoded'; readonly decoded: DecodedUpdate }
  | { readonly type: 'malformed'; readonly reason: string }
