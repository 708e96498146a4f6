import { createEvents, type EventSource, type Logger } from '../../mesh/base/index.ts'

/** A newer version of the page, once it is stored here and waits. */
export interface PageUpdates {
  readonly changes: EventSource<void>
  ready(): boolean
  /** Restarts into the newer version. Never called unless the person asked for it. */
  restart(): void
}

/** How often an open page looks for a newer version, in ms. */
const LOOK_EVERY_MS = 60 * 60 * 1_000

/**
 * Registers the service worker that keeps the page here. Without one (insecure origin,
 * private window) the page works all the same and is fetched at each visit.
 */
export function registerServiceWorker(page: Window, scriptUrl: string, log: Logger): PageUpdates {
  const changes = createEvents<void>((error) => {
    log.error('a listener failed', { error })
  })
  let waiting: ServiceWorker | undefined
  let restarting = false

  const offer = (worker: ServiceWorker | null): void => {
    // the very first worker of a page replaces nothing
    if (worker === null || page.navigator.serviceWorker.controller === null) return
    waiting = worker
    changes.emit()
  }

  const watch = (registration: ServiceWorkerRegistration): void => {
    offer(registration.waiting)
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing
      worker?.addEventListener('statechange', () => {
        if (worker.state === 'installed') offer(worker)
      })
    })
    page.setInterval(() => {
      registration.update().catch((error: unknown) => {
        log.debug('looking for a newer version failed', { error })
      })
    }, LOOK_EVERY_MS)
  }

  if ('serviceWorker' in page.navigator) {
    page.navigator.serviceWorker.addEventListener('controllerchange', () => {
      if (restarting) page.location.reload()
    })
    page.navigator.serviceWorker.register(scriptUrl).then(watch, (error: unknown) => {
      log.warn('the page cannot be kept on this device', { error })
    })
  }

  return {
    changes,
    ready: () => waiting !== undefined,
    restart() {
      restarting = true
      waiting?.postMessage({ type: 'restart' })
    },
  }
}
