import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { barriersOf } from '../kit/axe.ts'
import { startChromium, type BrowserDevice, type DeviceOptions, type TestBrowser } from '../kit/chromium.ts'
import { firstModelFile } from '../kit/first-model.ts'
import { ROOT, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { serveFolder } from '../kit/peer-page/serve.ts'
import { until } from '../kit/wait.ts'
import { shoot } from '../kit/shots.ts'

// The product as its users meet it: the built page, the real helper, the real model,
// and browsers that know nothing but a link.

const LONG = 'Write a very long story about a lighthouse keeper, with many chapters.'

let browser: TestBrowser
let helper: HelperProcess

beforeAll(async () => {
  browser = await startChromium()
  helper = await startHelper({ model: await firstModelFile(), args: ['--name', 'Desktop'] })
})
afterAll(async () => {
  await browser.close()
  await helper.stop()
  await rm(helper.dataDir, { recursive: true, force: true })
})

const message = (page: Page) => page.getByRole('textbox', { name: 'Message' })
const send = (page: Page) => page.getByRole('button', { name: 'Send', exact: true })
const stop = (page: Page) => page.getByRole('button', { name: 'Stop', exact: true })
const answer = (page: Page, state: string) => page.locator(`article[data-author="ai"][data-state="${state}"]`)

async function invite(from: HelperProcess = helper): Promise<string> {
  return ((await from.cli(['invite', '--json'])).json as { url: string }).url
}

/** A fresh browser profile that joined by a link. */
async function joined(options: DeviceOptions = {}, url?: string): Promise<BrowserDevice> {
  const device = await browser.device(options)
  await device.page.goto(url ?? (await invite()))
  await device.page.getByRole('button', { name: /^Join/ }).click()
  await message(device.page).waitFor()
  return device
}

async function ask(page: Page, text: string): Promise<void> {
  await message(page).fill(text)
  await send(page).click()
}

interface Row {
  readonly id: string
  readonly state: string
}
const devices = async (): Promise<readonly Row[]> => (await helper.cli(['devices', '--json'])).json as readonly Row[]

/** Nothing went to another origin, and the console is clean. */
function expectClean(device: BrowserDevice, origins: readonly string[] = [helper.url]): void {
  expect(device.foreignRequests(origins)).toEqual([])
  expect(device.errors).toEqual([])
}

test('a question typed in the page is answered by the helper’s model, and is there after a reload', async () => {
  const device = await joined({ size: 'phone' })
  const { page } = device
  expect(new URL(page.url()).hash).toBe('')
  await ask(page, 'What is the capital of France?')
  await answer(page, 'done').waitFor()
  expect(await answer(page, 'done').innerText()).toContain('Paris')
  const line = page.getByRole('button', { name: /^Desktop/ })
  await line.waitFor()
  // the model is called by a hash here, which is one word
  const outside = await line.evaluate(
    (element) =>
      [element, ...element.querySelectorAll('*')].filter((each) => each.getBoundingClientRect().right > innerWidth)
        .length,
  )
  expect(outside).toBe(0)
  await page.reload()
  await answer(page, 'done').waitFor()
  expect(await answer(page, 'done').innerText()).toContain('Paris')
  expect(await page.locator('article[data-author="person"]').innerText()).toContain('capital of France')
  for (const name of ['Message', 'Send'] as const)
    expect(await page.getByRole(name === 'Message' ? 'textbox' : 'button', { name, exact: true }).count()).toBe(1)
  expectClean(device)
  await device.close()
})

test('a second profile joins by link and is answered; one with a used link, and one without any, are not', async () => {
  const url = await invite()
  const second = await joined({}, url)
  await ask(second.page, 'What is the capital of Italy?')
  await answer(second.page, 'done').waitFor()
  const before = (await devices()).length

  const late = await browser.device()
  await late.page.goto(url)
  await late.page.getByRole('button', { name: /^Join/ }).click()
  await late.page
    .getByText(/already used/i)
    .first()
    .waitFor()

  const stranger = await browser.device()
  await stranger.page.goto(helper.url)
  await ask(stranger.page, 'Is anybody there?')
  await answer(stranger.page, 'waiting').waitFor()
  expect((await devices()).length).toBe(before)
  for (const device of [second, late, stranger]) {
    expectClean(device)
    await device.close()
  }
})

test('two profiles find each other, and stay linked when the helper is gone', async () => {
  const own = await startHelper({ offline: true, args: ['--name', 'Hub'] })
  try {
    const one = await joined({}, await invite(own))
    const two = await joined({}, await invite(own))
    const row = (device: BrowserDevice) => device.page.getByRole('list', { name: 'Devices' }).getByRole('listitem')
    for (const device of [one, two]) {
      await device.page.getByRole('link', { name: 'Mesh' }).first().click()
      await until(async () => (await row(device).filter({ hasText: 'Online' }).count()) === 3, {
        what: 'all three devices to be online',
        timeoutMs: 30_000,
      })
      // by way of the helper they would be gone with it
      await until(async () => (await row(device).locator('[data-path="relayed"]').count()) === 0, {
        what: 'all three devices to be linked directly',
        timeoutMs: 40_000,
      })
    }
    await own.stop()
    for (const device of [one, two]) {
      await until(async () => (await row(device).filter({ hasText: 'Online' }).count()) === 2, {
        what: 'the two browsers to be left',
        timeoutMs: 30_000,
      })
    }
    // only now: each is what the other one sees
    for (const device of [one, two]) await device.close()
  } finally {
    await own.stop()
  }
})

test('a device removed on another browser’s Mesh screen is cut off and told', async () => {
  const one = await joined()
  const two = await joined()
  const self = (await two.page.getByText(/is this device/).innerText()).split(' is this device')[0] ?? ''
  await ask(two.page, LONG)
  await answer(two.page, 'streaming').waitFor()

  await one.page.getByRole('link', { name: 'Mesh' }).first().click()
  await one.page.getByRole('list', { name: 'Devices' }).getByRole('link', { name: self }).first().click()
  await one.page.getByRole('button', { name: 'Remove', exact: true }).click()
  await one.page.getByRole('button', { name: `Remove ${self}` }).click()
  await one.page.getByText(`${self} is removed`).first().waitFor()

  await two.page.getByText('This device was removed from the mesh.', { exact: true }).waitFor()
  await answer(two.page, 'failed').waitFor()
  // not the page alone says so: the helper does not answer it any more, nor after a reload
  await two.page.reload()
  await two.page.getByText('This device was removed from the mesh.', { exact: true }).waitFor()
  await ask(two.page, 'Are you there?')
  await answer(two.page, 'waiting').waitFor()
  // what it holds can be deleted there, and it begins anew
  const wipe = two.page.getByRole('button', { name: 'Delete my data here' })
  await wipe.click()
  await two.page.getByRole('alertdialog').getByRole('button', { name: 'Delete my data here' }).click()
  await two.page.getByText('This device belongs to no mesh yet').waitFor()
  await expect(wipe.count()).resolves.toBe(0)
  await expect(two.page.getByText('Are you there?').count()).resolves.toBe(0)
  for (const device of [one, two]) {
    expectClean(device)
    await device.close()
  }
})

test('a new profile joins by a link of Add device once the pictures were confirmed on the first browser', async () => {
  const first = await joined()
  await first.page.getByRole('link', { name: 'Add device' }).first().click()
  await first.page.getByRole('button', { name: 'Show the code' }).click()
  const link = await first.page.getByText(/#join=/).innerText()

  const second = await browser.device({ size: 'phone' })
  await second.page.goto(link)
  await second.page.getByRole('button', { name: /^Join/ }).click()
  const pictures = (page: Page) => page.getByRole('list', { name: 'Six pictures, in order' }).innerText()
  expect(await pictures(second.page)).toBe(await pictures(first.page))
  // before somebody has compared, it is nobody
  expect(await message(second.page).count()).toBe(0)
  await first.page.getByRole('button', { name: 'They match' }).click()
  await first.page
    .locator('#main')
    .getByText(/has joined\./)
    .waitFor()
  await message(second.page).waitFor()
  await ask(second.page, 'What is the capital of France?')
  await answer(second.page, 'done').waitFor()
  for (const device of [first, second]) {
    expectClean(device)
    await device.close()
  }
})

test('the static page of another origin joins and asks by WebRTC-direct', async () => {
  const site = await serveFolder(join(ROOT, 'dist', 'page'))
  try {
    const device = await browser.device()
    // WebSockets are barred, as to a page of a public origin: only WebRTC-direct is left
    await device.context.addInitScript(() => {
      Object.assign(globalThis, {
        WebSocket: class {
          constructor() {
            throw new DOMException('barred', 'SecurityError')
          }
        },
      })
    })
    await device.page.goto(`${site.url}#${(await invite()).split('#')[1] ?? ''}`)
    await device.page.getByRole('button', { name: /^Join/ }).click()
    await message(device.page).waitFor()
    await ask(device.page, 'What is the capital of Spain?')
    await answer(device.page, 'done').waitFor()
    expect(device.foreignRequests([site.url])).toEqual([])
    expect(device.errors).toEqual([])
    await device.close()
  } finally {
    await site.close()
  }
})

test('Stop keeps what was written and ends the engine’s work', async () => {
  const device = await joined()
  await ask(device.page, LONG)
  await until(
    async () =>
      (await answer(device.page, 'streaming').count()) > 0
        ? (await answer(device.page, 'streaming').innerText()).length > 40
        : false,
    { what: 'some text' },
  )
  const engine = await watchEngine()
  const stoppedAt = performance.now()
  await stop(device.page).click()
  await answer(device.page, 'stopped').waitFor()
  expect((await answer(device.page, 'stopped').innerText()).length).toBeGreaterThan(40)
  expect((await engine.idle) - stoppedAt).toBeLessThan(2_000)
  engine.close()
  expectClean(device)
  await device.close()
})

test('a tab that is closed in mid-answer stops the engine within a second', async () => {
  const device = await joined()
  await ask(device.page, LONG)
  await answer(device.page, 'streaming').waitFor()
  const engine = await watchEngine()
  const closedAt = performance.now()
  await device.page.close({ runBeforeUnload: false })
  expect((await engine.idle) - closedAt).toBeLessThan(2_000)
  engine.close()
  await device.close()
})

/** Listens to the helper's events; `idle` resolves, to the moment, when its engine works on nothing any more. */
async function watchEngine(): Promise<{ readonly idle: Promise<number>; close(): void }> {
  const events = new WebSocket(`${helper.url.replace('http', 'ws')}/api/v1/events`, {
    headers: { authorization: `Bearer ${helper.token}` },
  })
  await new Promise((resolve) => events.once('open', resolve))
  const idle = new Promise<number>((resolve) => {
    events.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as { type: string; device?: { id: string; load?: { busy: number } } }
      if (event.type === 'device-changed' && event.device?.id === helper.ports.peerId && event.device.load?.busy === 0)
        resolve(performance.now())
    })
  })
  return {
    idle,
    close() {
      events.close()
    },
  }
}

describe('a helper that is killed', () => {
  test('in mid-answer leaves its text, says so, and is linked again within five seconds of its return', async () => {
    const own = await startHelper({ model: await firstModelFile(), port: 47_310, args: ['--name', 'Study'] })
    let back: HelperProcess | undefined
    try {
      const device = await joined({}, await invite(own))
      await ask(device.page, LONG)
      await until(
        async () =>
          (await answer(device.page, 'streaming').count()) > 0
            ? (await answer(device.page, 'streaming').innerText()).length > 40
            : false,
        { what: 'some text' },
      )
      await own.kill()
      await answer(device.page, 'failed').waitFor()
      expect((await answer(device.page, 'failed').innerText()).length).toBeGreaterThan(40)
      back = await startHelper({
        model: await firstModelFile(),
        dataDir: own.dataDir,
        port: 47_310,
        args: ['--name', 'Study'],
      })
      const backAt = performance.now()
      await until(
        async () =>
          ((await back?.cli(['devices', '--json']))?.json as Row[]).filter((row) => row.state === 'online').length ===
          2,
        {
          what: 'the link to come back',
          timeoutMs: 20_000,
        },
      )
      // the answer to `devices` takes its own time on a busy machine
      expect(performance.now() - backAt).toBeLessThan(7_000)
      await ask(device.page, 'What is the capital of France?')
      await answer(device.page, 'done').waitFor()
      // while a helper is down the browser itself writes lines about refused connections; nothing else may be there
      expect(
        device.errors.filter(
          (line) => !/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket/.test(line),
        ),
      ).toEqual([])
      await device.close()
    } finally {
      await back?.stop()
      await rm(own.dataDir, { recursive: true, force: true })
    }
  })
})

/** A profile with two tabs on one chat; the first one holds the peer. */
async function twoTabs(): Promise<{ device: BrowserDevice; first: Page; second: Page }> {
  const device = await joined()
  const first = device.page
  await ask(first, 'What is the capital of France?')
  await answer(first, 'done').waitFor()
  const second = await device.newTab()
  await second.goto(first.url())
  await answer(second, 'done').waitFor()
  return { device, first, second }
}

/** Waits until a streaming answer has this much text in a tab. */
async function streamed(page: Page, length: number): Promise<void> {
  const streaming = answer(page, 'streaming')
  await until(async () => (await streaming.count()) > 0 && (await streaming.innerText()).length > length, {
    what: `${String(length)} characters of an answer`,
  })
}

test('the second tab of a profile asks, streams and sees the devices like the first', async () => {
  const { device, first, second } = await twoTabs()
  await ask(second, LONG)
  await streamed(second, 60)
  // the first one shows the same answer, and both may stop it
  await streamed(first, 60)
  await stop(first).waitFor()
  const engine = await watchEngine()
  const stoppedAt = performance.now()
  await stop(second).click()
  await answer(second, 'stopped').waitFor()
  await answer(first, 'stopped').waitFor()
  expect((await engine.idle) - stoppedAt).toBeLessThan(2_000)
  engine.close()
  await until(
    async () => (await answer(second, 'stopped').innerText()) === (await answer(first, 'stopped').innerText()),
    { what: 'both tabs to show the same answer', timeoutMs: 10_000 },
  )
  await second.getByRole('link', { name: 'Mesh' }).first().click()
  const row = second.getByRole('list', { name: 'Devices' }).getByRole('listitem')
  await row.filter({ hasText: 'Desktop' }).filter({ hasText: 'Online' }).waitFor()
  expect(await second.getByText('another tab', { exact: false }).count()).toBe(0)
  expect(await barriersOf(second)).toEqual([])
  expectClean(device)
  await device.close()
})

test('an invitation made in the second tab is good, and its holder joins', async () => {
  const { device, second } = await twoTabs()
  await second.getByRole('link', { name: 'Add device' }).first().click()
  await second.getByRole('button', { name: 'Show the code' }).click()
  const link = await second.getByText(/#join=/).innerText()
  const guest = await browser.device({ size: 'phone' })
  await guest.page.goto(link)
  await guest.page.getByRole('button', { name: /^Join/ }).click()
  await guest.page.getByRole('list', { name: 'Six pictures, in order' }).waitFor()
  await second.getByRole('button', { name: 'They match' }).click()
  await message(guest.page).waitFor()
  for (const each of [device, guest]) {
    expectClean(each)
    await each.close()
  }
})

test('the first tab closed while the second streams leaves the text, and the second asks on', async () => {
  const { device, first, second } = await twoTabs()
  await ask(second, LONG)
  await streamed(second, 100)
  await first.close({ runBeforeUnload: false })
  await answer(second, 'failed').waitFor()
  expect((await answer(second, 'failed').innerText()).length).toBeGreaterThan(100)
  await ask(second, 'What is the capital of Italy?')
  await until(async () => (await answer(second, 'done').count()) === 2, {
    what: 'an answer in the tab that is left',
    timeoutMs: 30_000,
  })
  expectClean(device)
  await device.close()
})

test('Settings moves the connection to the second tab, and the first works through it', async () => {
  const { device, first, second } = await twoTabs()
  const chat = second.url()
  await second.goto(`${helper.url}/?view=settings`)
  // offered where the tab says what it is, and where a file of everything is made
  const hold = (page: Page) => page.getByRole('button', { name: 'Hold it here' }).first()
  await hold(second).click()
  await hold(second).waitFor({ state: 'detached' })
  await second.goto(chat)
  await ask(first, 'What is the capital of Italy?')
  for (const page of [first, second]) {
    await until(async () => (await answer(page, 'done').count()) === 2, {
      what: 'the same answer in both tabs',
      timeoutMs: 30_000,
    })
  }
  expectClean(device)
  await device.close()
})

test('with the helper gone the installed page opens from its cache, with its chats', async () => {
  const own = await startHelper({ model: await firstModelFile(), args: ['--name', 'Attic'] })
  try {
    const device = await joined({}, await invite(own))
    await ask(device.page, 'What is the capital of France?')
    await answer(device.page, 'done').waitFor()
    await device.page.evaluate(() => navigator.serviceWorker.ready)
    await own.stop()
    await device.page.reload()
    await answer(device.page, 'done').waitFor()
    await device.close()
  } finally {
    await own.stop()
  }
})

test.each([
  ['phone', 'dark'],
  ['desktop', 'light'],
] as const)('on a %s in %s every screen is without a barrier', async (size, colorScheme) => {
  const device = await joined({ size, colorScheme })
  const { page } = device
  const look = async (name: string): Promise<void> => {
    await shoot(page, `product/${name}-${size}-${colorScheme}`)
    expect(await barriersOf(page), name).toEqual([])
  }
  await look('first')
  // a question with a short answer: at its own temperature the small model may write a list for minutes
  await ask(page, 'What is the capital of France?')
  await answer(page, 'done').waitFor()
  await look('chat')
  await page.getByRole('button', { name: /^Desktop/ }).click()
  await page.getByRole('heading', { name: /Why/ }).waitFor()
  await look('why')
  await page.keyboard.press('Escape')
  await page.goto(`${helper.url}/?view=devices`)
  await page.getByRole('list', { name: 'Devices' }).waitFor()
  await look('devices')
  await page.goto(`${helper.url}/?view=add`)
  await page.getByRole('heading', { name: 'Add device' }).waitFor()
  await look('add')
  expectClean(device)
  await device.close()
})
