/// <reference lib="webworker" />
/**
 * The service worker: keeps the whole page here, so that it opens without any
 * network. It stores nothing else and answers for nothing else: chats are not its
 * business, and a missing file stays missing.
 */
import {
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  precacheAndRoute,
  type PrecacheEntry,
} from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'

declare const self: ServiceWorkerGlobalScope & { readonly __WB_MANIFEST: (PrecacheEntry | string)[] }

cleanupOutdatedCaches()
precacheAndRoute(self.__WB_MANIFEST, { cleanURLs: false })

// pages only: for an asset that is gone a copy of the page would be an answer that breaks it for good
registerRoute(
  new NavigationRoute(createHandlerBoundToURL('index.html'), {
    denylist: [/\/(?:assets|icons|v1|api)\//, /\/trust(?:\/|$)/, /\/[^/]+\.[a-z0-9]{2,12}$/i],
  }),
)

// a new version waits until the person agrees: nothing is reloaded under a draft
self.addEventListener('message', (event) => {
  if (isRestart(event.data)) void self.skipWaiting()
})

function isRestart(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'restart'
}
