import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { barriersOf } from '../kit/axe.ts'
import { startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'
import { shoot } from '../kit/shots.ts'

// A web site somewhere leads to the page of the person's own helper, with a link of the
// attacker's in the address: one click used to give a stranger all chats.

const SECRET = 'The tin is under the third stair.'

let browser: TestBrowser
/** The person's own helper. */
let own: HelperProcess
/** The attacker's. */
let thief: HelperProcess
/** Any web site: it redirects to whatever it is asked for, and hides its name. */
let site: Server
let leads: (url: string) => string

beforeAll(async () => {
  browser = await startChromium()
  own = await startHelper({ args: ['--name', 'Desktop'] })
  thief = await startHelper({ args: ['--name', 'Prize draw'] })
  site = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://site').searchParams.get('to') ?? ''
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(
      `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Prizes</title><script>location.replace(${JSON.stringify(url)})</script>`,
    )
  })
  await new Promise<void>((resolve) => {
    site.listen(0, '127.0.0.1', resolve)
  })
  const { port } = site.address() as AddressInfo
  leads = (url) => `http://127.0.0.1:${String(port)}/?to=${encodeURIComponent(url)}`
})
afterAll(async () => {
  await browser.close()
  site.close()
  await own.stop()
  await thief.stop()
})

const message = (page: Page) => page.getByRole('textbox', { name: 'Message' })
const pictures = (page: Page) => page.getByRole('list', { name: 'Six pictures, in order' })
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })

async function fragment(helper: HelperProcess, ...args: string[]): Promise<string> {
  return ((await helper.cli(['invite', ...args, '--json'])).json as { url: string }).url.split('#')[1] ?? ''
}

/** What a helper's terminal shows of devices that wait. */
async function waiting(helper: HelperProcess): Promise<{ device: string; name: string; pictures: string[] }[]> {
  return (await helper.cli(['joins', '--json'])).json as { device: string; name: string; pictures: string[] }[]
}

/** A profile that holds a chat and belongs to no mesh yet. */
async function withChat(): Promise<{ device: BrowserDevice; page: Page; chat: string }> {
  const device = await browser.device({ size: 'phone' })
  await device.page.goto(own.url)
  await message(device.page).fill(SECRET)
  await button(device.page, 'Send').click()
  await device.page.locator('article[data-author="ai"][data-state="waiting"]').waitFor()
  return { device, page: device.page, chat: device.page.url() }
}

test('one click on a link of another site gives a stranger nothing, whatever the stranger says', async () => {
  const { device, page, chat } = await withChat()
  await page.goto(leads(`${own.url}/#${await fragment(thief)}`))
  await button(page, /^Join/).waitFor()
  const said = await page.locator('#main').innerText()
  expect(said).toContain('All chats and rooms of this device')
  expect(said).toContain('1 chat')
  expect(said).toContain('Another site may have led you here')
  await shoot(page, 'led/offered', { fullPage: true })
  await button(page, /^Join/).click()
  await pictures(page).waitFor()
  const [join_] = await until(async () => ((await waiting(thief)).length > 0 ? waiting(thief) : undefined), {
    what: 'the terminal of the other side to show it',
  })
  // both show the same, by name
  expect((await pictures(page).innerText()).split('\n').filter((line) => line !== '')).toEqual(join_?.pictures)
  await shoot(page, 'led/compare', { fullPage: true })
  expect(await barriersOf(page)).toEqual([])
  // the stranger says yes at once: that is not the person's word
  expect((await thief.cli(['joins', 'match', join_?.name ?? '', '--json'])).code).toBe(0)
  await until(async () => (await waiting(thief)).length === 0, { what: 'the stranger to be done' })
  await button(page, 'They differ').click()
  await page.getByRole('heading', { name: 'This device has not joined' }).waitFor()
  const online = (await thief.cli(['devices', '--json'])).json as { state: string }[]
  expect(online.filter(({ state }) => state === 'online')).toHaveLength(1)
  await button(page, 'Go on without').click()
  await message(page).waitFor()
  await page.goto(chat)
  await page.getByText(SECRET).first().waitFor()
  expect(await button(page, 'They match').count()).toBe(0)
  await device.close()
})

test('a link of another site asks also where nothing is held, on the first visit and after one without a link', async () => {
  for (const hasVisited of [false, true]) {
    const device = await browser.device()
    const { page } = device
    if (hasVisited) {
      // it leads here once, so that the page is kept and answered from what is kept
      await page.goto(leads(`${own.url}/`))
      await message(page).waitFor()
      await page.evaluate(() => navigator.serviceWorker.ready)
      await page.reload()
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
    }
    await page.goto(leads(`${own.url}/#${await fragment(thief)}`))
    await page.getByText('Another site may have led you here').waitFor()
    await button(page, /^Join/).click()
    await pictures(page).waitFor()
    await button(page, 'They match').waitFor()
    await device.close()
  }
})

test('a link given by hand joins by one button where nothing is held, also where the page is kept already', async () => {
  const device = await browser.device()
  const { page } = device
  await page.goto(own.url)
  await message(page).waitFor()
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.reload()
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  await page.goto('about:blank')
  await page.goto(`${own.url}/#${await fragment(thief, '--person', 'Bob')}`)
  await page.getByText('Your chats stay on your own devices').waitFor()
  expect(await page.getByText('six pictures').count()).toBe(0)
  await button(page, /^Join/).click()
  await message(page).waitFor()
  // another helper's WebSocket is closed to this page; WebRTC-direct is what led there
  expect(device.errors.filter((error) => !/WebSocket connection to .* failed: .*403/.test(error))).toEqual([])
  await device.close()
})

test('the person’s own helper is joined by one button, chats or not: it answers where the page came from', async () => {
  const { device, page } = await withChat()
  await page.goto('about:blank')
  await page.goto(`${own.url}/#${await fragment(own)}`)
  await button(page, /^Join/).waitFor()
  expect(await page.locator('#main').innerText()).toContain('All chats and rooms of this device')
  await button(page, /^Join/).click()
  await message(page).waitFor()
  await device.close()
})

test('a link of somebody else, given by hand to a device that holds chats, joins once both have said yes', async () => {
  const { device, page, chat } = await withChat()
  await page.goto('about:blank')
  // who tried before and went away may still be named for a while
  const before = new Set((await waiting(thief)).map((one) => one.device))
  await page.goto(`${own.url}/#${await fragment(thief, '--person', 'Bob')}`)
  await button(page, /^Join/).click()
  await pictures(page).waitFor()
  await button(page, 'They match').click()
  await page.getByText('You said that they match').waitFor()
  const join_ = await until(async () => (await waiting(thief)).find((one) => !before.has(one.device)), {
    what: 'the join to wait',
  })
  expect((await thief.cli(['joins', 'match', join_.device, '--json'])).json).toMatchObject({ admitted: true })
  await message(page).waitFor()
  await page.goto(chat)
  await page.getByText(SECRET).first().waitFor()
  await device.close()
})
