import { MeshError } from '../../mesh/base/index.ts'

/** What the gateway tells of the helper's place on its network. Asked anew at each request. */
export interface Face {
  /** Whether the local network is open. */
  isOpen(): boolean
  /** Whether other people have accounts on this machine; absent: not known. */
  isShared?(): boolean
  /** Names and addresses by which it reaches this port, without port; none while it is closed. */
  names(): readonly string[]
  /** The best page for another device; undefined: there is none that is secure. */
  pageElsewhere(): string | undefined
  /** Where a device of the network learns to trust this helper. */
  trustPage(): string | undefined
  /** The authority to trust; undefined: there is none. */
  trust():
    | {
        /** SHA-256 with colons. */
        readonly fingerprint: string
        /** PEM. */
        readonly certificate: string
        /** Pages that are secure once it is trusted, the best first. */
        readonly securePages: readonly string[]
      }
    | undefined
  /** Visitors of plain HTTP. */
  readonly guests: {
    areLetIn(): boolean
    /** An invitation to be allowed by a person. @throws MeshError `refused`, `busy` */
    pass(options: { readonly signal: AbortSignal }): Promise<{
      /** Of a link, without `#`. */
      readonly fragment: string
      /** ms since 1970 */
      readonly expiresAt: number
    }>
  }
}

/** A helper that is on no network. */
export const NO_NETWORK: Face = {
  isOpen: () => false,
  names: () => [],
  pageElsewhere: () => undefined,
  trustPage: () => undefined,
  trust: () => undefined,
  guests: {
    areLetIn: () => false,
    pass: () => Promise.reject(new MeshError('refused', 'This helper lets no guests in.')),
  },
}
