import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { barriersOf } from '../kit/axe.ts'
import { hasChromium, startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { FAKE_ARCHIVE_PASSPHRASE } from '../kit/fake-archives.ts'
import { FAKE_RECOVERY } from '../kit/fake-recovery.ts'
import type { Scenario } from '../kit/preview/scenarios.ts'
import { servePreview, type ServedPreview } from '../kit/preview/serve.ts'
import { shoot } from '../kit/shots.ts'

const SAVED = mkdtempSync(join(tmpdir(), 'plexus-saved-'))
afterAll(() => {
  rmSync(SAVED, { recursive: true, force: true })
})

describe.skipIf(!hasChromium).each(['phone', 'desktop'] as const)('on a %s', (size) => {
  let preview: ServedPreview
  let browser: TestBrowser
  let device: BrowserDevice

  beforeAll(async () => {
    preview = await servePreview()
    browser = await startChromium()
    device = await browser.device({ size })
  }, 180_000)
  afterAll(async () => {
    expect(device.errors).toEqual([])
    expect(device.foreignRequests([preview.origin])).toEqual([])
    await browser.close()
    await preview.close()
  })

  const open = async (scenario: Scenario): Promise<Page> => {
    const { page } = device
    await page.goto(`${preview.origin}/below/?scenario=${scenario}`)
    await page.locator('#main').waitFor()
    return page
  }
  /** As it is now: without a fault of access, no wider than the window, and kept to be looked at. */
  const look = async (page: Page, name: string): Promise<void> => {
    expect(await barriersOf(page), name).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0)
    await shoot(page, `recovery-${name}-${size}`)
  }

  it('makes twelve words, in force only when some were typed back', async () => {
    const page = await open('security-keys')
    await page.getByText('There are no recovery words.').waitFor()
    await look(page, 'none')
    await page.getByRole('button', { name: 'Make twelve words' }).click()
    const words = page.getByRole('list', { name: 'Twelve words, in order' }).getByRole('listitem')
    await words.first().waitFor()
    expect((await words.allTextContents()).map((text) => text.replace(/[^a-z]/g, ''))).toEqual(FAKE_RECOVERY.words)
    await look(page, 'words')
    await page.getByRole('button', { name: 'I wrote them down' }).click()
    const fields = page.getByRole('dialog').getByRole('textbox')
    expect(await fields.count()).toBe(3)
    await page.getByRole('button', { name: 'Put in force' }).click()
    await page.getByText('Something is not as it was shown.').waitFor()
    await look(page, 'check-wrong')
    for (const field of await fields.all()) {
      const label = await field.evaluate((input: HTMLInputElement) => input.labels?.[0]?.textContent ?? '')
      await field.fill(` ${(FAKE_RECOVERY.words[Number(/\d+/.exec(label)?.[0]) - 1] ?? '').toUpperCase()} `)
    }
    await page.getByRole('button', { name: 'Put in force' }).click()
    await page.getByText(/^Recovery words or parts exist since/).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await look(page, 'made')
  })

  it('says before a device is removed that it made the words in force', async () => {
    const page = await open('security-remove')
    await page.getByText('The recovery words in force were made on it').waitFor()
    await look(page, 'made-there')
  })

  it('makes three parts in place of words, and takes them back', async () => {
    const page = await open('security-recovery')
    await page.getByRole('button', { name: 'Replace with new parts' }).click()
    await page.getByText('stop working when you have confirmed these').waitFor()
    expect(await page.getByRole('img', { name: /^Part \d as a code to scan$/ }).count()).toBe(3)
    await look(page, 'parts')
    await page.getByRole('button', { name: 'I wrote them down' }).click()
    for (const { number, text } of FAKE_RECOVERY.parts)
      await page.getByLabel(`Last four characters of part ${String(number)}`).fill(text.slice(-4).toLowerCase())
    await look(page, 'check-parts')
    await page.getByRole('button', { name: 'Replace the old ones' }).click()
    await page.getByText('Your three parts are in force.').first().waitFor()
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await page.getByText('They bring nobody back any more.').waitFor()
    await look(page, 'remove')
    await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
    await page.getByText('There are no recovery words.').waitFor()
  })

  it('comes back by the words, and shows what can be removed then', async () => {
    const page = await open('recover')
    const field = page.getByLabel('The twelve words, in order')
    await look(page, 'recover')
    await field.fill('abandon ability able')
    await page.getByRole('button', { name: 'Get back' }).click()
    await page.getByText('These words bring nobody back there').waitFor()
    await page.getByLabel(/^A device of your mesh/).waitFor()
    await look(page, 'recover-wrong')
    await page.getByRole('radio', { name: 'Two of three parts' }).click()
    expect(await page.getByLabel(/^(One|Another) part$/).count()).toBe(2)
    await page.getByRole('radio', { name: 'Twelve words' }).click()
    await field.fill(FAKE_RECOVERY.words.join(' '))
    await page.getByRole('button', { name: 'Get back' }).click()
    await page.getByText('You are back: this device is yours again.').first().waitFor()
    await look(page, 'recovered')
    await page.getByRole('link', { name: 'Remove Desktop' }).click()
    await page
      .getByRole('heading', { name: /Desktop/ })
      .first()
      .waitFor()
  })

  it('tells every other device who came back', async () => {
    const page = await open('came-back')
    await page.getByText(/came back with your recovery words/).waitFor()
    await look(page, 'came-back')
  })

  it('saves everything with a passphrase into a file, and brings one in after a look inside', async () => {
    const page = await open('settings')
    await page.getByRole('button', { name: 'Save everything' }).click()
    await page.getByLabel('Passphrase', { exact: true }).fill('aaaaaaaaaaaa')
    await page.getByText('Easy to guess.').waitFor()
    await page.getByLabel('Passphrase', { exact: true }).fill(FAKE_ARCHIVE_PASSPHRASE)
    await page.getByText('Strong, if nobody knows').waitFor()
    await page.getByLabel('Once more').fill(FAKE_ARCHIVE_PASSPHRASE)
    await look(page, 'save')
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save the file' }).click()
    const download = await downloading
    expect(download.suggestedFilename()).toMatch(/^Plexus .*\.plexus$/)
    const path = join(SAVED, `saved-${size}.plexus`)
    await download.saveAs(path)
    expect(readFileSync(path).byteLength).toBe(2_100_000)
    await page
      .getByText(/^Saved: 2\.10? MB\./)
      .first()
      .waitFor()
    await page
      .getByText(/^Saved: 2\.10? MB\./)
      .first()
      .scrollIntoViewIfNeeded()
    await look(page, 'saved')

    const choose = async (file: string): Promise<void> => {
      const choosing = page.waitForEvent('filechooser')
      await page.getByRole('button', { name: 'Bring in a file' }).click()
      await (await choosing).setFiles(file)
    }
    const broken = join(SAVED, `broken-${size}.plexus`)
    writeFileSync(broken, '!nothing')
    await choose(broken)
    await page.getByLabel('Passphrase of the file').fill('x')
    await page.getByRole('button', { name: 'Look inside' }).click()
    await page.getByText('This file is damaged').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await choose(path)
    await page.getByLabel('Passphrase of the file').fill('four herons in the sun')
    await page.getByRole('button', { name: 'Look inside' }).click()
    await page.getByText('This passphrase does not open the file.').waitFor()
    await look(page, 'open-wrong')
    await page.getByLabel('Passphrase of the file').fill(FAKE_ARCHIVE_PASSPHRASE)
    await page.getByRole('button', { name: 'Look inside' }).click()
    await page.getByText('3 rooms and 12 chats are inside.').waitFor()
    await look(page, 'inside')
    await page.getByRole('button', { name: 'Bring it in' }).click()
    await page.getByText('New here: 3 rooms and 2 chats.').waitFor()
    await look(page, 'brought')
  })

  it('says in a following tab where that is done', async () => {
    const page = await open('follower')
    await page.goto(`${preview.origin}/below/?scenario=follower`)
    await page.getByRole('link', { name: 'Settings' }).first().click()
    await page.getByText('This is done in the tab that holds the connection.').scrollIntoViewIfNeeded()
    await look(page, 'follower')
  })
})
