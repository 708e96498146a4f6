import type { EventSource } from '../../mesh/base/index.ts'
import type { HelperPage } from '../ports/index.ts'

/** A newer version of the page, where the composition root watches for one. */
export interface Updates {
  readonly changes: EventSource<void>
  /** True once a newer version is stored here and waits for a restart. */
  ready(): boolean
  /** Restarts into the newer version. */
  restart(): void
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
