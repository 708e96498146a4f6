import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium, startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'
import { shoot } from '../kit/shots.ts'

// Recovery with the built page and a real helper: words made in one browser, which is
// then lost, bring another one back, with the room that was written in.

const SAVED = mkdtempSync(join(tmpdir(), 'plexus-saved-'))
afterAll(() => {
  rmSync(SAVED, { recursive: true, force: true })
})

describe.skipIf(!hasChromium)('a person who lost the browser', () => {
  let browser: TestBrowser
  let helper: HelperProcess

  beforeAll(async () => {
    browser = await startChromium()
    helper = await startHelper({ args: ['--name', 'Desktop'] })
  })
  afterAll(async () => {
    await browser.close()
    await helper.stop()
    await rm(helper.dataDir, { recursive: true, force: true })
  })

  const jsonOf = async (...args: string[]): Promise<unknown> => {
    const { code, json, stderr } = await helper.cli([...args, '--json'])
    expect(code, stderr).toBe(0)
    return json
  }
  const expectClean = (device: BrowserDevice): void => {
    expect(device.foreignRequests([helper.url])).toEqual([])
    expect(device.errors).toEqual([])
  }
  const go = (page: Page, search: string): Promise<unknown> => page.goto(`${helper.url}/${search}`)

  /** Makes words on *Security* and types three of them back, as they stand on the screen. */
  const makeWords = async (page: Page): Promise<string[]> => {
    await go(page, '?view=security&tab=keys')
    await page.getByRole('button', { name: /^(Make twelve words|Replace with new words)$/ }).click()
    const items = page.getByRole('list', { name: 'Twelve words, in order' }).getByRole('listitem')
    await items.nth(11).waitFor()
    const words = (await items.allTextContents()).map((text) => text.replace(/[^a-z]/g, ''))
    await page.getByRole('button', { name: 'I wrote them down' }).click()
    for (const field of await page.getByRole('dialog').getByRole('textbox').all()) {
      const label = await field.evaluate((input: HTMLInputElement) => input.labels?.[0]?.textContent ?? '')
      await field.fill(words[Number(/\d+/.exec(label)?.[0]) - 1] ?? '')
    }
    await page.getByRole('button', { name: /^(Put in force|Replace the old ones)$/ }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByText(/^Recovery words or parts exist since/).waitFor()
    return words
  }

  it('comes back on another one by words that a following tab made, and removes the lost one', async () => {
    const lost = await browser.device()
    await lost.page.goto(((await jsonOf('invite')) as { url: string }).url)
    await lost.page.getByRole('button', { name: /^Join/ }).click()
    await lost.page.getByRole('textbox', { name: 'Message' }).waitFor()
    await jsonOf('rooms', 'create', 'Diary')
    await jsonOf('say', 'Diary', 'The heron came back.')
    const replaced = await makeWords(lost.page)
    // a second tab does it through the first
    const tab = await lost.newTab()
    const words = await makeWords(tab)
    expect(words).not.toEqual(replaced)
    await until(async () => ((await jsonOf('recovery')) as { since: number | null }).since !== null, { what: 'the words' }) // prettier-ignore
    expectClean(lost)
    await lost.close()

    const found = await browser.device({ size: 'phone' })
    const { page } = found
    await go(page, '')
    await page.getByRole('link', { name: 'Get back with recovery words' }).click()
    const field = page.getByLabel('The twelve words, in order')
    await field.fill(replaced.join(' '))
    await page.getByRole('button', { name: 'Get back' }).click()
    await page.getByText('These words bring nobody back there').waitFor()
    await field.fill(words.join('\n'))
    await page.getByRole('button', { name: 'Get back' }).click()
    await page.getByText('You are back: this device is yours again.').first().waitFor({ timeout: 30_000 })
    await shoot(page, 'comeback-real-phone')
    const removes = page.getByRole('link', { name: /^Remove / })
    expect(await removes.count()).toBe(2)
    const names = await removes.evaluateAll((links) => links.map((link) => link.getAttribute('aria-label') ?? ''))
    await page.getByRole('link', { name: names.find((name) => name !== 'Remove Desktop') ?? '' }).click()
    await page
      .getByRole('button', { name: /^Remove/ })
      .last()
      .click()
    await until(async () => ((await jsonOf('devices')) as { state: string }[]).length === 2, { what: 'the removal' })

    // how far the word of it has got is shown until it is closed
    await page.getByRole('dialog').getByText('Close', { exact: true }).click()
    await page.getByRole('link', { name: 'Rooms' }).first().click()
    await page.getByText('Diary').first().click()
    await page.getByText('The heron came back.').first().waitFor()
    expectClean(found)
    await found.close()
  })

  it('saves everything into a real file, which another browser brings in', async () => {
    const one = await browser.device()
    await one.page.goto(((await jsonOf('invite')) as { url: string }).url)
    await one.page.getByRole('button', { name: /^Join/ }).click()
    await one.page.getByRole('textbox', { name: 'Message' }).waitFor()
    await go(one.page, '?view=rooms')
    await one.page.getByText('Diary').first().waitFor()
    await go(one.page, '?view=settings')
    await one.page.getByRole('button', { name: 'Save everything' }).click()
    await one.page.getByLabel('Passphrase', { exact: true }).fill('four herons in the rain')
    await one.page.getByLabel('Once more').fill('four herons in the rain')
    const downloading = one.page.waitForEvent('download')
    await one.page.getByRole('button', { name: 'Save the file' }).click()
    const file = join(SAVED, 'real.plexus')
    await (await downloading).saveAs(file)
    expectClean(one)
    await one.close()

    const other = await browser.device({ size: 'phone' })
    const { page } = other
    await go(page, '?view=settings')
    const choosing = page.waitForEvent('filechooser')
    await page.getByRole('button', { name: 'Bring in a file' }).click()
    await (await choosing).setFiles(file)
    await page.getByLabel('Passphrase of the file').fill('four herons in the sun')
    await page.getByRole('button', { name: 'Look inside' }).click()
    await page.getByText('This passphrase does not open the file.').waitFor()
    await page.getByLabel('Passphrase of the file').fill('four herons in the rain')
    await page.getByRole('button', { name: 'Look inside' }).click()
    await page.getByText('1 room and no chats are inside.').waitFor()
    await page.getByRole('button', { name: 'Bring it in' }).click()
    await page.getByText('New here: 1 room and 0 chats.').waitFor()
    await page.getByRole('button', { name: 'Close', exact: true }).last().click()
    await go(page, '?view=rooms')
    await page.getByText('Diary').first().click()
    await page.getByText('The heron came back.').first().waitFor()
    expectClean(other)
    await other.close()
  })
})
