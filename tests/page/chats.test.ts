import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openArchive } from '../../mesh/seal/index.ts'
import { startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { firstModelFile } from '../kit/first-model.ts'
import { makeTempDir, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'

// One story of one person with two browsers and a helper, in the built page with the
// real model. Its chapters follow each other: what one leaves, the next begins with.

/** The helper comes back where it was. */
const PORT = 47_330
/** Links, and what was missed, come back within this on a busy machine. */
const BACK_MS = 60_000
const ANSWER_MS = 60_000
const LONG = 'Write a very long story about a lighthouse keeper, with many chapters.'

let browser: TestBrowser
let helper: HelperProcess
let dataDir: { readonly path: string; remove(): Promise<void> }
let desk: BrowserDevice
let couch: BrowserDevice
let couchName: string
let chatUrl: string

const launch = async (): Promise<HelperProcess> =>
  startHelper({ model: await firstModelFile(), dataDir: dataDir.path, port: PORT, args: ['--name', 'Desktop'] })

beforeAll(async () => {
  browser = await startChromium()
  dataDir = await makeTempDir()
  helper = await launch()
})
afterAll(async () => {
  await browser.close()
  await helper.stop()
  await dataDir.remove()
  await rm(dataDir.path, { recursive: true, force: true })
})

// ---- what one sees and does ----

const message = (page: Page) => page.getByRole('textbox', { name: 'Message', exact: true })
const answers = (page: Page, state: string) => page.locator(`article[data-author="ai"][data-state="${state}"]`)
const questions = (page: Page): Promise<string[]> => page.locator('article[data-author="person"]').allInnerTexts()
const inList = (page: Page, title: string | RegExp) => page.getByRole('link', { name: title }).first()

async function joined(): Promise<BrowserDevice> {
  const { url } = (await helper.cli(['invite', '--json'])).json as { url: string }
  const device = await browser.device({})
  await device.page.goto(url)
  await device.page.getByRole('button', { name: /^Join/ }).click()
  await message(device.page).waitFor()
  return device
}

async function ask(page: Page, text: string): Promise<void> {
  await message(page).fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await asked(page, text)
}

async function asked(page: Page, text: string, timeoutMs = BACK_MS): Promise<void> {
  await page.locator('article[data-author="person"]').filter({ hasText: text }).waitFor({ timeout: timeoutMs })
}

const answered = (page: Page, count: number): Promise<unknown> =>
  until(async () => (await answers(page, 'done').count()) === count, {
    what: `${String(count)} answers`,
    timeoutMs: ANSWER_MS,
  })

async function openChat(page: Page, title: string | RegExp): Promise<void> {
  await inList(page, title).click({ timeout: BACK_MS })
  await message(page).waitFor()
}

/** What a browser is called, as it says itself on its first page. */
const nameOf = async ({ page }: BrowserDevice): Promise<string> =>
  (await page.getByText(/is this device/).innerText()).split(' is this device')[0] ?? ''

/** Whether the helper, that shows no chats itself, has these words of one. */
async function helperHas(words: readonly string[]): Promise<boolean> {
  const passphrase = 'a heron in the rain'
  const [file, secret] = [join(dataDir.path, 'all.plexus'), join(dataDir.path, 'passphrase')]
  await rm(file, { force: true })
  await writeFile(secret, passphrase)
  const { code, stderr } = await helper.cli(['export', file, '--passphrase-file', secret])
  if (code !== 0) throw new TypeError(stderr)
  const bytes = new Uint8Array(await readFile(file))
  const said: string[] = []
  for await (const { body } of openArchive(inOnePiece(bytes), { kind: 'passphrase', passphrase }, {}))
    said.push(Buffer.from(body).toString())
  return words.every((word) => said.some((text) => text.includes(word)))
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes)
}

// ---- the story ----

test('a chat of one browser is in the other, with its answer, and is gone on with there', async () => {
  desk = await joined()
  couch = await joined()
  couchName = await nameOf(couch)
  await ask(desk.page, 'What is the capital of France?')
  await answered(desk.page, 1)
  chatUrl = desk.page.url()

  await openChat(couch.page, /capital of France/)
  await answered(couch.page, 1)
  expect(await answers(couch.page, 'done').locator('.prose').innerText()).toBe(
    await answers(desk.page, 'done').locator('.prose').innerText(),
  )
  // by whom it was answered came along
  expect(await answers(couch.page, 'done').innerText()).toContain('Desktop')
  await ask(couch.page, 'What is the capital of Italy?')
  for (const { page } of [couch, desk]) {
    await asked(page, 'What is the capital of Italy?')
    await answered(page, 2)
  }
})

test('a second tab shows it too, and what is written there is on the other device', async () => {
  const second = await couch.newTab()
  await second.goto(chatUrl)
  await answered(second, 2)
  await ask(second, 'What is the capital of Spain?')
  for (const page of [second, couch.page, desk.page]) {
    await asked(page, 'What is the capital of Spain?')
    await answered(page, 3)
  }
  await second.close()
})

test('an answer on its way says on which device, and is there when it ended', async () => {
  await ask(couch.page, LONG)
  await answers(couch.page, 'streaming').waitFor({ timeout: ANSWER_MS })
  await desk.page.getByText(`Being answered on ${couchName}`).waitFor({ timeout: BACK_MS })
  expect(await answers(desk.page, 'failed').count()).toBe(0)
  await couch.page.getByRole('button', { name: 'Stop', exact: true }).click()
  await answers(couch.page, 'stopped').waitFor()
  await answers(desk.page, 'stopped').waitFor({ timeout: BACK_MS })
  expect(await answers(desk.page, 'stopped').locator('.prose').innerText()).toBe(
    await answers(couch.page, 'stopped').locator('.prose').innerText(),
  )
})

test('with the helper killed the browsers go on without it, and it answers when it is back', async () => {
  const online = (page: Page) =>
    page.getByRole('list', { name: 'Devices' }).getByRole('listitem').filter({ hasText: 'Online' })
  for (const { page } of [desk, couch]) {
    await page.getByRole('link', { name: 'Mesh' }).first().click()
    // not through the helper that is about to go
    const direct = online(page).filter({ has: page.locator('[data-path="direct"]') })
    await until(async () => (await direct.count()) === 2, { what: 'all to be linked directly', timeoutMs: BACK_MS })
    await page.evaluate(() => navigator.serviceWorker.ready)
  }
  await helper.kill()
  for (const { page } of [desk, couch]) {
    await until(async () => (await online(page).count()) === 2, { what: 'the browsers to be left', timeoutMs: BACK_MS })
    await page.getByRole('link', { name: 'Chat' }).first().click()
    await openChat(page, /capital of France/)
  }
  await ask(couch.page, 'What is the capital of Poland?')
  await asked(desk.page, 'What is the capital of Poland?')
  helper = await launch()
  for (const { page } of [couch, desk]) await answered(page, 4)
})

test('a device that was away gets from the helper what the other wrote, though that one is gone now', async () => {
  await couch.page.close()
  await ask(desk.page, 'What is the capital of Norway?')
  await answered(desk.page, 5)
  const before = await questions(desk.page)
  const last = await answers(desk.page, 'done').last().locator('.prose').innerText()
  const words = ['What is the capital of Norway?', last.split('\n')[0] ?? '']
  await until(() => helperHas(words), { what: 'the helper to have it', timeoutMs: BACK_MS })
  await desk.page.close()
  const page = await couch.context.newPage()
  await page.goto(chatUrl)
  await asked(page, 'What is the capital of Norway?')
  await answered(page, 5)
  expect(await questions(page)).toEqual(before)
  couch = { ...couch, page }
})

test('deleted on one it is gone on the other', async () => {
  const page = await desk.context.newPage()
  await page.goto(chatUrl)
  await answered(page, 5)
  await couch.page.getByRole('button', { name: 'More about this chat' }).click()
  await couch.page.getByRole('menuitem', { name: 'Delete' }).click()
  await couch.page.getByRole('button', { name: 'Delete', exact: true }).click()
  for (const one of [couch.page, page])
    await until(async () => (await inList(one, /capital of France/).count()) === 0, {
      what: 'the chat to be gone',
      timeoutMs: BACK_MS,
    })
  const peer = `http://127.0.0.1:${String(helper.ports.ws)}`
  for (const device of [desk, couch]) {
    expect(device.foreignRequests([helper.url, peer])).toEqual([])
    const own = device.errors.filter(
      (line) => !/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket/.test(line),
    )
    expect(own).toEqual([])
  }
})
