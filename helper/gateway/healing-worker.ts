/** The one service worker of the page. */
export const PAGE_WORKER = '/sw.js'

/**
 * Given to every service worker at this origin that is not the page's own, when the
 * browser asks for its newer version: somebody else put it there while the helper was
 * off. It takes that one's place at once, throws away all stored copies of the page,
 * which may be forged too, ends itself and has what it showed loaded anew, from us.
 */
export const HEALING_WORKER = `'use strict'
self.addEventListener('install', () => { self.skipWaiting() })
self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) await caches.delete(name)
    await self.clients.claim()
    const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
    await self.registration.unregister()
    for (const page of pages) page.navigate(page.url).catch(() => {})
  })())
})
`

/** Whether a request is a browser's for the script of a service worker that is not ours. No page can send this header. */
export function asksForForeignWorker(request: Request): boolean {
  return request.headers.get('service-worker') === 'script' && new URL(request.url).pathname !== PAGE_WORKER
}

/** The answer to it. */
export function healingWorker(): Response {
  return new Response(HEALING_WORKER, {
    headers: {
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'no-store',
      // whatever places the other one took
      'service-worker-allowed': '/',
      'content-security-policy': "default-src 'none'",
    },
  })
}
