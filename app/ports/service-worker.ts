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
export function registerServiceWorker(
  page: Window,
  scriptUrl: string,
  log: Logger,
  { isAlone = false }: { readonly isAlone?: boolean } = {},
): PageUpdates {
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
    // a new worker asks whether what is open is this page, or was put here by somebody else
    page.navigator.serviceWorker.addEventListener('message', (event: MessageEvent<unknown>) => {
      if (isQuestionWhose(event.data)) event.ports[0]?.postMessage({ type: 'own-page' })
    })
    page.navigator.serviceWorker.startMessages()
    if (isAlone) {
      endOthers(page, new URL(scriptUrl, page.location.href).href).catch((error: unknown) => {
        log.warn('service workers of others could not be looked for', { error })
      })
    }
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

/** Where ours is registered it takes the other's place itself: to end that one would end ours, which may be on its way there. */
async function endOthers(page: Window, own: string): Promise<void> {
  const place = new URL('./', own).href
  for (const registration of await page.navigator.serviceWorker.getRegistrations()) {
    if (registration.scope === place) continue
    const workers = [registration.active, registration.waiting, registration.installing]
    if (workers.some((worker) => worker !== null && worker.scriptURL !== own)) await registration.unregister()
  }
}

function isQuestionWhose(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'whose-page'
}
