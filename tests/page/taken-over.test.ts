import { createServer, type Server } from 'node:http'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium, startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { makeTempDir, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { freePorts } from '../kit/free-ports.ts'
import { until } from '../kit/wait.ts'

// Another user of the machine serves the helper's port while the helper is off.

const PASSPHRASE = 'a heron in the rain'
const QUESTION = 'Where do herons sleep?'
const FORGED = '<!doctype html><title>Forged</title><h1>Forged page</h1>'

/** A worker that answers every visit itself, and forges what the true one stored. */
const FORGING_WORKER = `
self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      const cache = await caches.open(name)
      for (const request of await cache.keys()) await cache.put(request, new Response(${JSON.stringify(FORGED)}, { headers: { 'content-type': 'text/html' } }))
    }
  })())
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  if (event.request.mode === 'navigate') event.respondWith(new Response(${JSON.stringify(FORGED)}, { headers: { 'content-type': 'text/html' } }))
})
`

/** The other user's server: a page that installs `worker`, and nothing else. */
function takePort(port: number, worker: string | undefined): Promise<Server> {
  const page = `${FORGED}<script type="module">
    if (${JSON.stringify(worker ?? '')} !== '') {
      const taken = new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve))
      await navigator.serviceWorker.register(${JSON.stringify(worker ?? '')}, { scope: '/' })
      await taken
      document.title = 'installed'
    }
  </script>`
  const server = createServer((incoming, outgoing) => {
    if (worker !== undefined && incoming.url === worker) {
      outgoing
        .writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'max-age=31536000' })
        .end(FORGING_WORKER)
    } else if (incoming.method === 'GET' && worker !== undefined && incoming.url !== '/sw.js') {
      outgoing.writeHead(200, { 'content-type': 'text/html' }).end(page)
    } else outgoing.writeHead(404).end()
  })
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      resolve(server)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.closeAllConnections()
    server.close(() => {
      resolve()
    })
  })
}

describe.skipIf(!hasChromium)('an address that another user served while the helper was off', () => {
  let browser: TestBrowser
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    browser = await startChromium()
  })
  afterAll(() => browser.close())
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  /** A helper whose page is kept by a browser, and how to start it again at its port. */
  const kept = async (): Promise<{
    helper: HelperProcess
    device: BrowserDevice
    port: number
    again(): Promise<void>
  }> => {
    const dir = await makeTempDir()
    cleanups.push(() => dir.remove())
    const port = await freePorts()
    const start = async (): Promise<HelperProcess> => {
      const helper = await startHelper({ dataDir: dir.path, port })
      cleanups.push(() => helper.stop())
      return helper
    }
    const helper = await start()
    const device = await browser.device()
    cleanups.push(() => device.close())
    await device.page.goto(helper.url)
    await untilKept(device.page)
    return {
      ...{ helper, device, port },
      async again() {
        await start()
      },
    }
  }
  const untilKept = async (page: Page): Promise<void> => {
    await page.locator('#main').waitFor()
    await page.evaluate(async () => {
      await navigator.serviceWorker.ready
    })
  }
  const workersOf = (page: Page): Promise<readonly (string | undefined)[]> =>
    page.evaluate(async () =>
      (await navigator.serviceWorker.getRegistrations()).map(
        ({ active }) => active && new URL(active.scriptURL).pathname,
      ),
    ) as Promise<readonly (string | undefined)[]>

  test.each(['/other.js', '/sw.js'])(
    'is the helper’s again at the next visit, with a worker at %s in place',
    async (worker) => {
      const { helper, device, port, again } = await kept()
      const { page } = device
      await helper.stop()
      const other = await takePort(port, worker)
      // the one place that the page leaves to the network
      await page.goto(`${helper.url}/trust`)
      await until(async () => (await page.title()) === 'installed', { what: 'the other worker' })
      await page.goto(helper.url)
      await page.getByRole('heading', { name: 'Forged page' }).waitFor()
      await close(other)
      await again()
      await page.goto(helper.url)
      await page.locator('#main').waitFor({ timeout: 60_000 })
      await until(async () => (await workersOf(page).catch(() => []))[0] === '/sw.js', { what: 'the own worker' })
      // from the stored copy too: nothing forged is left in it
      const text = await page.evaluate(async () => {
        const names = await caches.keys()
        const found: string[] = []
        for (const name of names) {
          const cache = await caches.open(name)
          for (const request of await cache.keys()) found.push((await (await cache.match(request))?.text()) ?? '')
        }
        return { names, forged: found.filter((one) => one.includes('Forged page')).length }
      })
      expect(text.forged).toBe(0)
      expect(text.names.every((name) => name.startsWith('plexus-page-'))).toBe(true)
      await page.reload()
      await page.locator('#main').waitFor()
    },
  )

  test('opens nothing while somebody else answers there, and gives a locked page’s words and keys to nobody', async () => {
    const { helper, device, port, again } = await kept()
    const { page } = device
    await page.getByRole('textbox', { name: 'Message' }).fill(QUESTION)
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.locator('article[data-author="ai"]').waitFor()
    await page.getByRole('link', { name: 'Settings' }).first().click()
    await page.getByRole('button', { name: 'Set a passphrase' }).click()
    await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE)
    await page.getByLabel('Once more').fill(PASSPHRASE)
    await page.getByRole('button', { name: 'Lock', exact: true }).click()
    await page.getByRole('button', { name: 'Remove: Passphrase' }).waitFor()
    await helper.stop()

    // the page that is kept here notices, before it asks for anything
    const answers = await takePort(port, undefined)
    await page.goto(helper.url)
    await page.getByRole('heading', { name: 'Somebody else answers at this address' }).waitFor()
    expect(await page.getByLabel('Passphrase', { exact: true }).count()).toBe(0)
    await close(answers)

    // with nobody there it says that it could not be checked
    await page.goto(helper.url)
    await page.getByText('nobody could check that this page is yours').waitFor()

    // their own script at this origin reads all that is stored
    const other = await takePort(port, '/other.js')
    await page.goto(`${helper.url}/trust`)
    await page.getByRole('heading', { name: 'Forged page' }).waitFor()
    const loot = await page.evaluate(async () => {
      const done = <Value>(request: IDBRequest<Value>): Promise<Value> =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => {
            resolve(request.result)
          }
          request.onerror = () => {
            reject(request.error ?? new DOMException('failed'))
          }
        })
      let text = JSON.stringify({ ...localStorage })
      const keys: string[] = []
      for (const { name = '' } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name))
        for (const store of database.objectStoreNames) {
          const values: unknown[] = await done(database.transaction(store).objectStore(store).getAll())
          for (const value of values) {
            if (value instanceof CryptoKey) keys.push(`${name}/${store}`)
            const bytes =
              value instanceof Uint8Array
                ? value
                : new Uint8Array(value instanceof ArrayBuffer ? value : new ArrayBuffer(0))
            text += new TextDecoder().decode(bytes) + JSON.stringify(value)
          }
        }
        database.close()
      }
      return { text, keys }
    })
    expect(loot.text).not.toContain('heron')
    expect(loot.keys).toEqual([])
    await close(other)

    // and with the helper back the person opens it as ever
    await again()
    await page.goto(helper.url)
    await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE, { timeout: 60_000 })
    await page.getByRole('button', { name: 'Unlock' }).click()
    await page.locator('#main').waitFor()
    expect(await page.getByText('nobody could check').count()).toBe(0)
  })
})
