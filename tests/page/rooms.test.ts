import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { barriersOf } from '../kit/axe.ts'
import { startChromium, type BrowserDevice, type DeviceOptions, type TestBrowser } from '../kit/chromium.ts'
import { cameraFlags, photograph } from './fake-camera.ts'
import { firstModelFile } from '../kit/first-model.ts'
import { makeTempDir, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'
import { shoot } from '../kit/shots.ts'

// One story of two people in the built page, with the real helper and the real model.
// Its chapters follow each other: what one leaves, the next begins with.

/** The helper comes back where it was. */
const PORT = 47_320
/** Links, and what was missed, come back within this on a busy machine. */
const BACK_MS = 60_000

let browser: TestBrowser
let helper: HelperProcess
let dataDir: { readonly path: string; remove(): Promise<void> }
/** The browser of Bob's phone, which has a camera. */
let withCamera: TestBrowser | undefined
/** Alice's computer and phone, Bob's computer and phone. */
let desk: BrowserDevice
let phone: BrowserDevice
let bob: BrowserDevice
let bobsPhone: BrowserDevice
let roomUrl: string

const launch = async (): Promise<HelperProcess> =>
  startHelper({ model: await firstModelFile(), dataDir: dataDir.path, port: PORT, args: ['--name', 'Desktop'] })

beforeAll(async () => {
  browser = await startChromium()
  dataDir = await makeTempDir()
  helper = await launch()
})
afterAll(async () => {
  await withCamera?.close()
  await browser.close()
  await helper.stop()
  await dataDir.remove()
  await rm(dataDir.path, { recursive: true, force: true })
})

// ---- what one sees and does ----

const message = (page: Page) => page.getByRole('textbox', { name: 'Message', exact: true })
const talk = (page: Page) => page.getByRole('log')
const answers = (page: Page, state: string) => talk(page).locator(`article[data-author="ai"][data-state="${state}"]`)
/** What people wrote, from above. */
const lines = (page: Page): Promise<string[]> => talk(page).locator('.msg-text').allInnerTexts()

async function joined(options: DeviceOptions, ...args: string[]): Promise<BrowserDevice> {
  const { url } = (await helper.cli(['invite', '--json', ...args])).json as { url: string }
  const device = await browser.device(options)
  await device.page.goto(url)
  await device.page.getByRole('button', { name: /^Join/ }).click()
  await message(device.page).waitFor()
  return device
}

async function say(page: Page, text: string): Promise<void> {
  await message(page).fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await talk(page).getByText(text, { exact: true }).waitFor()
}

async function hears(page: Page, text: string, timeoutMs = 30_000): Promise<void> {
  await talk(page).getByText(text, { exact: true }).waitFor({ timeout: timeoutMs })
}

async function openRoom(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Rooms' }).first().click()
  await page.getByRole('link', { name: /^Cabin/ }).click({ timeout: 30_000 })
  await message(page).waitFor()
}

const online = (page: Page) =>
  page.getByRole('list', { name: 'Devices' }).getByRole('listitem').filter({ hasText: 'Online' })

async function expectAccessible(page: Page, name: string): Promise<void> {
  await shoot(page, `rooms/${name}`)
  expect(await barriersOf(page), name).toEqual([])
}

/** Nothing went to another origin, and the console says nothing but that a helper which was down refused connections. */
function expectClean(device: BrowserDevice): void {
  const peer = `http://127.0.0.1:${String(helper.ports.ws)}`
  expect(device.foreignRequests([helper.url, peer])).toEqual([])
  expect(
    device.errors.filter(
      (line) => !/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket/.test(line),
    ),
  ).toEqual([])
}

// ---- the story ----

test('a room made on one device is there for both people, and what is said is the same everywhere', async () => {
  desk = await joined({})
  phone = await joined({ size: 'phone' })
  bob = await joined({}, '--person', 'Bob')

  await desk.page.getByRole('link', { name: 'Rooms' }).first().click()
  await desk.page.getByText('No rooms yet').waitFor()
  await expectAccessible(desk.page, 'rooms-empty-desktop')
  await desk.page.getByRole('button', { name: 'Make a room' }).click()
  await desk.page.getByRole('textbox', { name: 'Name' }).fill('Cabin')
  await desk.page.getByRole('checkbox', { name: 'Bob' }).check()
  await expectAccessible(desk.page, 'room-new-desktop')
  await desk.page.getByRole('button', { name: 'Make the room' }).click()
  await message(desk.page).waitFor()
  roomUrl = desk.page.url()
  await say(desk.page, 'Who brings the big pot?')

  for (const device of [phone, bob]) {
    await openRoom(device.page)
    await hears(device.page, 'Who brings the big pot?')
  }
  await say(bob.page, 'I have one.')
  await say(phone.page, 'Then I bring the soup.')
  for (const { page } of [desk, phone, bob]) {
    await hears(page, 'I have one.')
    await hears(page, 'Then I bring the soup.')
  }
  await message(bob.page).pressSequentially('hm')
  await desk.page.getByText('Bob is writing').waitFor()
  await message(bob.page).fill('')
  await talk(desk.page)
    .getByRole('button', { name: /^Seen by Bob/ })
    .first()
    .waitFor()
  const said = await lines(desk.page)
  expect(said).toHaveLength(3)
  expect(await lines(phone.page)).toEqual(said)
  expect(await lines(bob.page)).toEqual(said)
  await expectAccessible(desk.page, 'room-desktop')
  await expectAccessible(phone.page, 'room-phone')
})

test('a phone joins by the code on a screen once both saw the same pictures, and has the rooms of its person', async () => {
  await bob.page.getByRole('link', { name: 'Add device' }).first().click()
  await bob.page.getByRole('button', { name: 'Show the code' }).click()
  const sight = join(dataDir.path, 'sight.y4m')
  await photograph(bob.page, await bob.page.locator('svg.qr').screenshot(), sight)

  withCamera = await startChromium(cameraFlags(sight))
  bobsPhone = await withCamera.device({ size: 'phone' })
  const { page } = bobsPhone
  await page.goto(helper.url)
  await page.getByRole('button', { name: 'Scan a code' }).click()
  await page.getByRole('button', { name: /^Join/ }).click()
  const pictures = (of: Page) => of.getByRole('list', { name: 'Six pictures, in order' }).innerText()
  expect(await pictures(page)).toBe(await pictures(bob.page))
  expect(await message(page).count()).toBe(0)
  await bob.page.getByRole('button', { name: 'They match' }).click()
  await message(page).waitFor()
  await openRoom(page)
  await hears(page, 'Who brings the big pot?')
  await say(page, 'From the phone of Bob.')
  await openRoom(bob.page)
  for (const each of [desk, phone, bob]) await hears(each.page, 'From the phone of Bob.')
})

test('the AI answers in the room, and everybody sees which device and model it was', async () => {
  const [model] = (await helper.cli(['models', '--json'])).json as readonly { readonly id: string }[]
  // what only the room says: the AI was told it
  await say(bob.page, '@ai Who has a big pot?')
  for (const { page } of [desk, phone, bob]) {
    await answers(page, 'done').waitFor({ timeout: 60_000 })
    const text = await answers(page, 'done').innerText()
    expect(await answers(page, 'done').locator('.prose').innerText()).toContain('Bob')
    expect(text).toContain('Desktop')
    expect(text).toContain(model?.id)
  }
})

test('the second tab of a profile takes part like the first', async () => {
  const second = await bob.newTab()
  await second.goto(roomUrl)
  await message(second).waitFor()
  await hears(second, 'Then I bring the soup.')
  await say(second, 'From my other tab.')
  for (const { page } of [desk, phone, bob]) await hears(page, 'From my other tab.')
  await say(desk.page, 'Both of you hear this?')
  for (const page of [second, bob.page]) await hears(page, 'Both of you hear this?')
  await say(second, '@ai What is the capital of Italy?')
  await until(async () => (await answers(second, 'done').count()) === 2, {
    what: 'an answer in the second tab',
    timeoutMs: 60_000,
  })
  await second.getByRole('button', { name: 'Search in this room' }).click()
  await second.getByRole('searchbox').last().fill('soup')
  await second.getByText(/^[1-9]\d* messages? found/).waitFor()
  await expectAccessible(second, 'room-second-tab')
  await second.close()
})

test('a reload keeps everything', async () => {
  const before = await lines(phone.page)
  await phone.page.reload()
  await until(async () => (await lines(phone.page)).length === before.length, {
    what: 'the room after a reload',
    timeoutMs: 30_000,
  })
  expect(await lines(phone.page)).toEqual(before)
  expect(await answers(phone.page, 'done').count()).toBe(2)
})

test('with the helper killed the browsers go on talking directly', async () => {
  for (const { page } of [desk, phone, bob, bobsPhone]) {
    await page.getByRole('link', { name: 'Mesh' }).first().click()
    await until(async () => (await online(page).count()) === 5, { what: 'all to be linked', timeoutMs: 40_000 })
    await until(async () => (await online(page).locator('[data-path="relayed"]').count()) === 0, {
      what: 'all to be linked directly',
      timeoutMs: 40_000,
    })
    await page.evaluate(() => navigator.serviceWorker.ready)
  }
  await helper.kill()
  for (const { page } of [desk, phone, bob, bobsPhone]) {
    await until(async () => (await online(page).count()) === 4, { what: 'the browsers to be left', timeoutMs: 40_000 })
    await openRoom(page)
  }
  await say(bob.page, 'The helper is gone, am I heard?')
  for (const { page } of [desk, phone, bobsPhone]) await hears(page, 'The helper is gone, am I heard?')
  await say(phone.page, 'You are.')
  for (const { page } of [desk, bob, bobsPhone]) await hears(page, 'You are.')
})

test('what each wrote alone arrives later, in the same order on all', async () => {
  // nobody is linked with anybody: one page at a time, and no helper
  for (const { page } of [desk, phone, bobsPhone]) await page.close()
  await say(bob.page, 'Bob, alone.')
  await bob.page.close()
  const alone = await desk.context.newPage()
  await alone.goto(roomUrl)
  await hears(alone, 'You are.')
  await say(alone, 'Alice, alone.')

  helper = await launch()
  const bobs = await bob.context.newPage()
  const phones = await phone.context.newPage()
  const bobsPhones = await bobsPhone.context.newPage()
  for (const page of [bobs, phones, bobsPhones]) await page.goto(roomUrl)
  for (const page of [alone, bobs, phones, bobsPhones]) {
    await hears(page, 'Alice, alone.', BACK_MS)
    await hears(page, 'Bob, alone.', BACK_MS)
  }
  const order = await lines(alone)
  expect(await lines(bobs)).toEqual(order)
  expect(await lines(phones)).toEqual(order)
  expect(await lines(bobsPhones)).toEqual(order)
  // each below everything its author had seen
  expect(order.slice(0, -2).at(-1)).toBe('You are.')
  expect(order.slice(-2).sort()).toEqual(['Alice, alone.', 'Bob, alone.'])
  desk = { ...desk, page: alone }
  bob = { ...bob, page: bobs }
  phone = { ...phone, page: phones }
  bobsPhone = { ...bobsPhone, page: bobsPhones }
})

test('a device joins by six words, and has the rooms of its person', async () => {
  const tablet = await browser.device({ size: 'phone' })
  await tablet.page.goto(helper.url)
  await tablet.page.getByRole('button', { name: 'Show six words' }).click()
  const list = tablet.page.getByRole('list', { name: 'Six words, in order' })
  await list.waitFor()
  await tablet.page.getByText('Waiting for the words to be typed').waitFor()
  await expectAccessible(tablet.page, 'six-words-phone')
  const words = (await list.getByRole('listitem').allInnerTexts()).map((item) => item.replace(/[^a-z]/g, ''))

  await desk.page.getByRole('link', { name: 'Add device' }).first().click()
  const field = desk.page.getByRole('textbox', { name: 'The six words' })
  await field.fill('abandon ability able about above absent')
  await desk.page.getByRole('button', { name: 'Find the device' }).click()
  await desk.page.getByRole('alert').getByText('No device shows these words').waitFor()
  await field.fill(words.join(' '))
  await desk.page.getByRole('button', { name: 'Find the device' }).click()
  const name = await desk.page.locator('.pending strong').innerText()
  await expectAccessible(desk.page, 'typed-words-desktop')
  await desk.page.getByRole('button', { name: 'Admit' }).click()
  await desk.page.getByText(`${name} has joined.`).first().waitFor()

  await tablet.page.getByText('This device was admitted.').first().waitFor()
  await openRoom(tablet.page)
  await say(tablet.page, 'Hello from the tablet.')
  await openRoom(desk.page)
  await hears(desk.page, 'Hello from the tablet.')
  expectClean(tablet)
  await tablet.close()
})

test('a removed device is cut and told, hears no more, and the others see it in the ledger', async () => {
  const { page } = bob
  await page.getByRole('link', { name: 'Mesh' }).first().click()
  const self =
    (
      await page
        .getByRole('list', { name: 'Devices' })
        .getByRole('listitem')
        .filter({ hasText: 'This device' })
        .getByRole('link')
        .first()
        .innerText()
    ).split('\n')[0] ?? ''
  await desk.page.getByRole('link', { name: 'Mesh' }).first().click()
  await desk.page.getByRole('list', { name: 'Devices' }).getByRole('link', { name: self }).first().click()
  await desk.page.getByRole('button', { name: 'Remove', exact: true }).click()
  const removedAt = performance.now()
  await desk.page.getByRole('button', { name: `Remove ${self}` }).click()
  await page.getByText('This device was removed from the mesh.', { exact: true }).waitFor()
  console.info(`a removed browser is cut and says so after ${(performance.now() - removedAt).toFixed(0)} ms`)
  await desk.page.getByText(`${self} is removed`).first().waitFor()

  // the room is not shown there any more: nothing can be read or written in it
  await page.getByRole('link', { name: 'Rooms' }).first().click()
  await page.getByText('No rooms yet').waitFor()
  await openRoom(desk.page)
  await say(desk.page, 'Bob does not read this.')
  await hears(phone.page, 'Bob does not read this.')
  await page.reload()
  await page.getByText('This device was removed from the mesh.', { exact: true }).waitFor()
  await page.goto(roomUrl)
  await page.getByText('This device was removed from the mesh.', { exact: true }).waitFor()
  expect(await page.getByText(/^(?:Bob does not read this\.|Who brings the big pot\?)$/).count()).toBe(0)

  await phone.page.getByRole('link', { name: 'Back' }).click()
  await phone.page.getByRole('link', { name: 'Security' }).first().click()
  await phone.page.getByRole('list', { name: 'Ledger, newest first' }).getByText(`removed ${self}.`).first().waitFor()
  await expectAccessible(phone.page, 'ledger-phone')
  for (const device of [desk, phone, bob, bobsPhone]) expectClean(device)
})
