import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDoor, type Door } from '../../helper/door/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { hasChromium, startChromium, type TestBrowser } from '../kit/chromium.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { entrancePreset, loopbackPreset, startPeer, type TestPeer } from '../kit/peers.ts'

describe.skipIf(!hasChromium)('a web page of another origin', () => {
  let browser: TestBrowser
  let door: Door
  let shared: TestPeer
  let lone: TestPeer
  let website: Server
  beforeAll(async () => {
    browser = await startChromium()
    door = await openDoor({ port: 0, host: '127.0.0.1', clock: systemClock, log: silentLogger })
    door.serve({
      request: (_incoming, outgoing) => outgoing.end('<!doctype html><title>Plexus</title>'),
      upgrade: (_incoming, socket) => socket.destroy(),
      badRequest: (_error, socket) => socket.destroy(),
    })
    const store = createMemoryStore()
    shared = await startPeer('Alice', { store, preset: await entrancePreset(store, door) })
    const other = createMemoryStore()
    lone = await startPeer('Bob', { store: other, preset: await loopbackPreset(other) })
    website = createServer((_incoming, outgoing) => outgoing.end('<!doctype html><title>Website</title>'))
    await new Promise<void>((resolve) => website.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    await browser.close()
    website.close()
    await shared.stop()
    await lone.stop()
    await door.close({ signal: AbortSignal.abort() })
  })

  /** Whether a page at `origin` gets a WebSocket to `url`. */
  const opensFrom = async (origin: string, url: string): Promise<boolean> => {
    const device = await browser.device()
    try {
      await device.page.goto(origin)
      return await device.page.evaluate(
        (address) =>
          new Promise<boolean>((resolve) => {
            const socket = new WebSocket(address)
            socket.onopen = () => {
              resolve(true)
              socket.close()
            }
            socket.onerror = () => {
              resolve(false)
            }
          }),
        url,
      )
    } finally {
      await device.close()
    }
  }

  test('opens no WebSocket to a peer, by no name of this machine', async () => {
    const site = `http://127.0.0.1:${String((website.address() as AddressInfo).port)}/`
    const alone = /\/tcp\/(\d+)\/ws/.exec(lone.mesh.addresses().join(' '))?.[1] ?? ''
    for (const port of [String(door.port), alone])
      for (const name of ['127.0.0.1', 'localhost']) {
        expect(await opensFrom(site, `ws://${name}:${port}/`)).toBe(false)
      }
    // its own page does
    const own = `127.0.0.1:${String(door.port)}`
    expect(await opensFrom(`http://${own}/`, `ws://${own}/`)).toBe(true)
    expect(await opensFrom(`http://localhost:${String(door.port)}/`, `ws://${own}/`)).toBe(true)
  })
})
