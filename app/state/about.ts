import type { EventSource } from '../../mesh/base/index.ts'

/** A newer version of the page, where the composition root watches for one. */
export interface Updates {
  readonly changes: EventSource<void>
  /** True once a newer version is stored here and waits for a restart. */
  ready(): boolean
  /** Restarts into the newer version. */
  restart(): void
}

/** What the helper that serves this page says of its place on the network. */
export interface HelperPlace {
  /** Whether its local network is open. */
  readonly lan: boolean
  /** The best page for another device; undefined: there is none that is protected. */
  readonly page: string | undefined
  /** Where a device learns to trust the helper. */
  readonly trust: string | undefined
  /** Whether guests are let in. */
  readonly guests: boolean
  /** Whether other people have accounts on the machine of the helper. */
  readonly shared?: boolean | undefined
}

/** The helper behind this page, where one serves it. */
export interface HelperPage {
  /** Whether a helper was seen to serve this page: nothing need be asked of a host of files. */
  isKnown(): boolean
  /** Undefined: no helper serves this page. */
  place(options?: { readonly signal?: AbortSignal | undefined }): Promise<HelperPlace | undefined>
  /** Asks for a guest pass: the fragment of a link. @throws MeshError `refused`, `offline` */
  requestPass(options?: { readonly signal?: AbortSignal | undefined }): Promise<string>
  /** Whether a link is a pass that this page was given. */
  isPass(link: string): boolean
}

/** What the page says about itself. */
export interface About {
  readonly version: string
  readonly updates?: Updates | undefined
  /** Deletes everything this page keeps in this browser and begins anew. Absent where there is nothing to delete. */
  readonly wipe?: (() => Promise<void>) | undefined
  /** The helper that serves this page, if one does. */
  readonly helper?: HelperPage | undefined
}
