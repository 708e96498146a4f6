import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startChromium, type TestBrowser } from '../kit/chromium.ts'
import type { PeerPage } from '../kit/peer-page/peer-page.ts'
import { servePeerPage } from '../kit/peer-page/serve.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { startRelayProcess } from '../kit/relay-process.ts'
import { until } from '../kit/wait.ts'

declare global {
  // set by the bare peer page
  var peer: PeerPage
}

let browser: TestBrowser
let site: Awaited<ReturnType<typeof servePeerPage>>

beforeAll(async () => {
  site = await servePeerPage()
  browser = await startChromium()
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

async function device(name: string | undefined): Promise<{ page: Page; id: string }> {
  const { page } = await browser.device()
  await page.goto(site.url)
  await page.waitForFunction(() => 'peer' in globalThis)
  const id = name === undefined ? '' : await page.evaluate((own) => globalThis.peer.start(own), name)
  return { page, id }
}

async function link(helper: TestPeer): Promise<string> {
  return (await helper.mesh.invite({ confirmation: 'in-advance' })).url
}

test('browsers join a helper by link and then find each other, by WebRTC and not relayed', async () => {
  const helper = await startPeer('Helper')
  try {
    const phone = await device('Phone')
    const tablet = await device('Tablet')
    const joined = await phone.page.evaluate((url) => globalThis.peer.join(url), await link(helper))
    expect(joined).toMatchObject({ id: helper.mesh.self, state: 'online', path: 'direct' })
    await tablet.page.evaluate((url) => globalThis.peer.join(url), await link(helper))
    for (const [one, other] of [
      [phone, tablet],
      [tablet, phone],
    ] as const) {
      const view = await until(
        async () => {
          const devices = await one.page.evaluate(() => globalThis.peer.devices())
          return devices.find((each) => each.id === other.id && each.state === 'online')
        },
        { what: 'the two browsers to be linked', timeoutMs: 30_000 },
      )
      expect(view.path).toBe('direct')
    }
    // the helper goes; the two stay linked
    await helper.stop()
    await until(
      async () =>
        (await phone.page.evaluate(() => globalThis.peer.devices())).some(
          (each) => each.id === helper.mesh.self && each.state !== 'online',
        ),
      {
        what: 'the helper to be gone',
      },
    )
    expect(
      (await phone.page.evaluate(() => globalThis.peer.devices())).find((each) => each.id === tablet.id)?.state,
    ).toBe('online')
    await phone.page.context().close()
    await tablet.page.context().close()
  } finally {
    await helper.stop()
  }
})

test('a browser reaches a helper by WebRTC-direct alone', async () => {
  const helper = await startPeer('Helper')
  try {
    const phone = await device('Phone')
    // the page's WebSocket is gone, as behind a browser that bars it
    await phone.page.evaluate(() => {
      Object.assign(globalThis, {
        WebSocket: class {
          constructor() {
            throw new DOMException('barred', 'SecurityError')
          }
        },
      })
    })
    const joined = await phone.page.evaluate((url) => globalThis.peer.join(url), await link(helper))
    expect(joined).toMatchObject({ state: 'online', path: 'direct' })
    await phone.page.context().close()
  } finally {
    await helper.stop()
  }
})

test('fifty dials in a row from one browser to another all connect directly', { timeout: 300_000 }, async () => {
  // the real relay, in a process of its own
  const relay = await startRelayProcess()
  try {
    const address = relay.addresses.find((one) => one.includes('/ws')) ?? ''
    const a = await device(undefined)
    const b = await device(undefined)
    await a.page.evaluate((to) => globalThis.peer.startNode(to), address)
    const target = await b.page.evaluate((to) => globalThis.peer.startNode(to), address)
    const way = `${address}/p2p-circuit/webrtc/p2p/${target}`
    const dial = (): Promise<{ ms: number; direct: boolean }> =>
      a.page.evaluate((to) => globalThis.peer.dialAndCut(to), way)
    // the reservation of the dialled browser comes a moment after its start
    await until(dial, { what: 'the first dial', timeoutMs: 20_000 })
    const failures: string[] = []
    const times: number[] = []
    for (let index = 0; index < 50; index++) {
      try {
        const { ms, direct } = await dial()
        times.push(ms)
        if (!direct) failures.push(`dial ${String(index)} was relayed`)
      } catch (error) {
        failures.push(`dial ${String(index)}: ${String(error)}`)
      }
    }
    expect(failures).toEqual([])
    await a.page.context().close()
    await b.page.context().close()
  } finally {
    await relay.stop()
  }
})
