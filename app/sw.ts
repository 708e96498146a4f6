/// <reference lib="webworker" />
/**
 * The service worker: keeps the whole page here, so that it opens without any
 * network. It stores nothing else and answers for nothing else: chats are not its
 * business, and a missing file stays missing.
 *
 * While a helper is off, another user of its machine may serve its address, and with
 * it scripts that change what is stored here. So a new worker believes no copy that
 * lies here already, not even one under its own name: it fetches all of it.
 */
import { PrecacheController, PrecacheRoute, type PrecacheEntry } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'

declare const self: ServiceWorkerGlobalScope & { readonly __WB_MANIFEST: (PrecacheEntry | string)[] }

// a joining link comes from where it leads, never from what is kept here: only there does the
// browser say who led to it. Registered first, so that nothing below answers for it.
self.addEventListener('fetch', (event) => {
  const isJoin = event.request.mode === 'navigate' && new URL(event.request.url).hash.startsWith('#join=')
  if (isJoin) event.stopImmediatePropagation()
})

/** How caches of any version of this worker begin. */
const CACHE_PREFIX = 'plexus-page-'
/** Ours of earlier versions were named by the library. */
const EARLIER_PREFIX = 'workbox-precache'
/** How long pages have to say that they are ours, in ms. */
const ANSWER_MS = 3_000

const entries = self.__WB_MANIFEST.map((entry): PrecacheEntry => {
  const { url, revision } = typeof entry === 'string' ? { url: entry, revision: null } : entry
  // with a revision it is never taken from the browser's own cache, which others may have filled
  return { url, revision: revision ?? 'named-by-content' }
})
const cacheName = `${CACHE_PREFIX}${markOf(JSON.stringify(entries))}-${self.registration.scope}`
const precache = new PrecacheController({ cacheName })
precache.addToCacheList(entries)

/** What is open is shown by somebody else’s worker, and is loaded anew. */
let takesOver = false

self.addEventListener('install', (event) => {
  event.waitUntil(renew(event))
})
self.addEventListener('activate', (event) => {
  event.waitUntil(begin(event))
})
registerRoute(new PrecacheRoute(precache, { cleanURLs: false }))

// pages only: for an asset that is gone a copy of the page would be an answer that breaks it for good
registerRoute(
  new NavigationRoute(precache.createHandlerBoundToURL('index.html'), {
    denylist: [/\/(?:assets|icons|v1|api)\//, /\/trust(?:\/|$)/, /\/[^/]+\.[a-z0-9]{2,12}$/i],
  }),
)

// a new version waits until the person agrees: nothing is reloaded under a draft
self.addEventListener('message', (event) => {
  if (isRestart(event.data)) void self.skipWaiting()
})

/** Fetches every file anew, then looks whether what is open now is ours. */
async function renew(event: ExtendableEvent): Promise<void> {
  await caches.delete(cacheName)
  await precache.install(event)
  const { active } = self.registration
  // one by another name is never ours, whatever the pages say that it let through
  takesOver = active !== null && (active.scriptURL !== self.location.href || !(await areOurs()))
  if (takesOver) await self.skipWaiting()
}

async function begin(event: ExtendableEvent): Promise<void> {
  // a copy that cannot be deleted must not keep the page from being ours again
  await Promise.allSettled([dropOtherCaches(), precache.activate(event)])
  if (!takesOver) return
  await self.clients.claim()
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
  // not waited for: a page that loads waits for this worker in turn
  for (const page of pages) page.navigate(page.url).catch(() => null)
}

/** Whether every page that is open answers as ours do. One that does not is shown by somebody else's worker. */
async function areOurs(): Promise<boolean> {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const answers = await Promise.all(pages.map(answersAsOurs))
  return answers.every(Boolean)
}

function answersAsOurs(page: WindowClient): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const timer = setTimeout(() => {
      resolve(false)
    }, ANSWER_MS)
    port1.onmessage = () => {
      clearTimeout(timer)
      resolve(true)
    }
    page.postMessage({ type: 'whose-page' }, [port2])
  })
}

/** Elsewhere than on this machine an origin may be shared with other pages, whose caches are not ours to delete. */
async function dropOtherCaches(): Promise<void> {
  const isLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(self.location.hostname)
  for (const name of await caches.keys()) {
    const isOurs =
      (name.startsWith(CACHE_PREFIX) || name.startsWith(EARLIER_PREFIX)) && name.endsWith(self.registration.scope)
    if (name !== cacheName && (isLoopback || isOurs)) await caches.delete(name)
  }
}

/** A short mark of a text (FNV-1a): names a version, and proves nothing. */
function markOf(text: string): string {
  let mark = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) mark = Math.imul(mark ^ text.charCodeAt(index), 0x01000193)
  return (mark >>> 0).toString(36)
}

function isRestart(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'restart'
}
