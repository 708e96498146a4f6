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

// a joining link comes from where it leads, never from what is kept here: only there does the
// browser say who led to it. Registered first, so that nothing below answers for it.
self.addEventListener('fetch', (event) => {
  const isJoin = event.request.mode === 'navigate' && new URL(event.request.url).hash.startsWith('#join=')
  if (isJoin) event.stopImmediatePropagation()
})

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
