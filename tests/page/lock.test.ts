import { join } from 'node:path'
import type { CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium, startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { ROOT } from '../kit/helper-process.ts'
import { serveFolder } from '../kit/peer-page/serve.ts'
import { until } from '../kit/wait.ts'
import { ensureBuilt } from '../../scripts/lib/build.mjs'

// The built page in a real browser, over its real storage. A passkey needs a name, so
// the page is opened by one.

const PASSPHRASE = 'a heron in the rain'
const QUESTION = 'Where do herons sleep?'

describe.skipIf(!hasChromium)('a page that is locked', () => {
  let site: Awaited<ReturnType<typeof serveFolder>>
  let browser: TestBrowser
  let url = ''

  beforeAll(async () => {
    expect(await ensureBuilt(['page'])).toBe(true)
    site = await serveFolder(join(ROOT, 'dist', 'page'))
    url = site.url.replace('127.0.0.1', 'localhost')
    browser = await startChromium()
  })
  afterAll(async () => {
    await browser.close()
    await site.close()
  })

  /** A browser that holds one question nobody has answered. */
  const asked = async (): Promise<BrowserDevice> => {
    const device = await browser.device()
    await device.page.goto(url)
    await device.page.getByRole('textbox', { name: 'Message' }).fill(QUESTION)
    await device.page.getByRole('button', { name: 'Send', exact: true }).click()
    await device.page.locator('article[data-author="ai"]').waitFor()
    return device
  }
  const question = (page: Page) => page.locator('article[data-author="person"]').getByText(QUESTION)
  const settings = async (page: Page): Promise<void> => {
    await page.getByRole('link', { name: 'Settings' }).first().click()
    await page.getByRole('heading', { name: 'Lock' }).waitFor()
  }
  const setPassphrase = async (page: Page): Promise<void> => {
    await settings(page)
    await page.getByRole('button', { name: 'Set a passphrase' }).click()
    await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE)
    await page.getByLabel('Once more').fill(PASSPHRASE)
    await page.getByRole('button', { name: 'Lock', exact: true }).click()
    await page.getByRole('button', { name: 'Remove: Passphrase' }).waitFor()
  }
  const storedKeys = (page: Page): Promise<readonly string[]> =>
    page.evaluate(
      () =>
        new Promise<readonly string[]>((resolve) => {
          const opening = indexedDB.open('plexus')
          opening.onsuccess = () => {
            const database = opening.result
            const reading = database.transaction('records').objectStore('records').getAllKeys()
            reading.onsuccess = () => {
              database.close()
              resolve(reading.result.map(String))
            }
          }
        }),
    )
  /** Every byte in the databases and the local storage of this origin, as text. */
  const stored = (page: Page): Promise<string> =>
    page.evaluate(async () => {
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
      for (const { name = '' } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name))
        for (const store of database.objectStoreNames) {
          for (const value of await done(database.transaction(store).objectStore(store).getAll()))
            text += value instanceof Uint8Array ? new TextDecoder('latin1').decode(value) : ` ${String(value)} `
        }
        database.close()
      }
      return text
    })

  test('keeps no word of a chat in the clear, and with a passphrase no key either', async () => {
    const device = await asked()
    const { page } = device
    // what is being written is no less private
    await page.getByRole('textbox', { name: 'Message' }).fill('Do herons dream?')
    await until(async () => (await storedKeys(page)).some((key) => key.includes('page/memory/draft')), {
      what: 'the draft to be kept',
    })
    const before = await stored(page)
    expect(before).not.toContain('heron')
    expect(before).toContain('CryptoKey')
    await setPassphrase(page)
    const after = await stored(page)
    expect(after).not.toContain('CryptoKey')
    expect(after).not.toContain('heron')
    expect(device.errors).toEqual([])
    await device.close()
  })

  test('asks before anything else, refuses a wrong passphrase, and shows everything after the right one', async () => {
    const device = await asked()
    const { page } = device
    await setPassphrase(page)
    await page.reload()
    const field = page.getByLabel('Passphrase', { exact: true })
    await field.waitFor()
    expect(await page.getByText(QUESTION).count()).toBe(0)
    await field.fill('a heron in the sun')
    await page.keyboard.press('Enter')
    await page.getByText('That did not open it.').waitFor()
    await field.fill(PASSPHRASE)
    await page.getByRole('button', { name: 'Unlock' }).click()
    // it opens where it was left
    await page.getByRole('heading', { name: 'Lock' }).waitFor()
    await page.getByRole('link', { name: 'Chat', exact: true }).first().click()
    await page
      .getByRole('link', { name: /herons sleep/ })
      .first()
      .click()
    await question(page).waitFor()
    await settings(page)
    await page.getByRole('button', { name: 'Remove: Passphrase' }).click()
    await page.getByText('This page opens by itself.').waitFor()
    await page.reload()
    await page.getByText('This page opens by itself.').waitFor()
    expect(device.errors).toEqual([])
    await device.close()
  })

  test('opens with a passkey alone', async () => {
    const device = await asked()
    const { page } = device
    const authenticator = await device.context.newCDPSession(page)
    await addAuthenticator(authenticator)
    await settings(page)
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByRole('textbox', { name: 'Name of the passkey' }).fill('Fingerprint')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('button', { name: 'Remove: Passkey “Fingerprint”' }).waitFor()
    expect(await stored(page)).not.toContain('CryptoKey')
    await page.reload()
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByRole('heading', { name: 'Lock' }).waitFor()
    expect(device.errors).toEqual([])
    await device.close()
  })
})

/** A passkey in software whose person always says yes. */
async function addAuthenticator(session: CDPSession): Promise<void> {
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      hasPrf: true,
      automaticPresenceSimulation: true,
      isUserVerified: true,
    },
  })
}
