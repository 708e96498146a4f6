/**
 * The few names of the web platform that browsers, workers and Node share and that
 * the core may use without a port: they are pure, or belong to the caller. Whatever
 * is not declared here does not resolve in `mesh/` (see mesh/tsconfig.json).
 */
interface Event {
  readonly type: string
}

declare const Event: new (type: string) => Event

interface EventListenerOptions {
  readonly once?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

interface EventTarget {
  addEventListener(type: string, listener: (event: Event) => void, options?: EventListenerOptions): void
  removeEventListener(type: string, listener: (event: Event) => void): void
  dispatchEvent(event: Event): boolean
}

declare const EventTarget: new () => EventTarget

interface AbortSignal extends EventTarget {
  readonly aborted: boolean
  readonly reason: unknown
  onabort: ((event: Event) => void) | null
  throwIfAborted(): void
}
declare const AbortSignal: {
  abort(reason?: unknown): AbortSignal
  any(signals: Iterable<AbortSignal>): AbortSignal
}

interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
declare const AbortController: new () => AbortController

interface TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>
}
declare const TextEncoder: new () => TextEncoder

interface TextDecoder {
  decode(bytes?: Uint8Array, options?: { readonly stream?: boolean }): string
}
declare const TextDecoder: new (
  encoding?: 'utf-8',
  options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean },
) => TextDecoder

/** A key whose bytes the platform keeps. */
interface CryptoKey {
  readonly type: string
  readonly extractable: boolean
}

interface AesGcmParams {
  readonly name: string
  readonly iv: Uint8Array<ArrayBuffer>
  readonly additionalData?: Uint8Array<ArrayBuffer>
}

interface SubtleCrypto {
  importKey(
    format: 'raw',
    bytes: Uint8Array<ArrayBuffer>,
    algorithm: string,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<CryptoKey>
  verify(
    algorithm: string,
    key: CryptoKey,
    signature: Uint8Array<ArrayBuffer>,
    message: Uint8Array<ArrayBuffer>,
  ): Promise<boolean>
  encrypt(algorithm: AesGcmParams, key: CryptoKey, plain: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>
  digest(algorithm: 'SHA-256', bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>
  decrypt(algorithm: AesGcmParams, key: CryptoKey, sealed: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>
}

// `subtle` is missing on pages that came by plain HTTP from elsewhere than this computer
declare const crypto: { readonly subtle: SubtleCrypto }
