/** What a passkey answered: which one it was, and its secret for the salt it was asked with. */
export interface PasskeyAnswered {
  readonly credential: Uint8Array
  /** 32 bytes, the same for the same salt. */
  readonly prf: Uint8Array
}

/** A passkey that may be asked, and with what. */
export interface PasskeyAsked {
  readonly credential: Uint8Array
  readonly salt: Uint8Array
}

/** Port: passkeys that give a secret (WebAuthn with the PRF extension). */
export interface PasskeyPort {
  /** False where this browser or this address surely has none. */
  isOffered(): Promise<boolean>
  /** Makes a passkey. @throws MeshError `unsupported` when it gives no secret, `aborted` when the person says no */
  make(salt: Uint8Array, options: { readonly signal?: AbortSignal | undefined }): Promise<PasskeyAnswered>
  /** Asks one of these. @throws MeshError `unsupported`, `aborted` */
  ask(
    passkeys: readonly PasskeyAsked[],
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<PasskeyAnswered>
}
