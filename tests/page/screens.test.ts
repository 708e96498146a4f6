import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { barriersOf, type Look } from '../kit/axe.ts'
import { hasChromium, SIZES, startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { PASSPHRASE } from '../kit/preview/fake-lock.ts'
import { HOSTILE_TEXTS } from '../kit/preview/hostile-corpus.ts'
import { SCENARIOS, type Scenario } from '../kit/preview/scenarios.ts'
import { servePreview, type ServedPreview } from '../kit/preview/serve.ts'
import { shoot } from '../kit/shots.ts'

describe.skipIf(!hasChromium)('the screens', () => {
  let preview: ServedPreview
  let browser: TestBrowser

  beforeAll(async () => {
    preview = await servePreview()
    browser = await startChromium()
  }, 180_000)
  afterAll(async () => {
    await browser.close()
    await preview.close()
  })

  const open = async (page: Page, scenario: Scenario): Promise<void> => {
    await page.goto(`${preview.origin}/below/?scenario=${scenario}`)
    await page.locator('#main').waitFor()
    await page.evaluate(() => document.fonts.ready)
  }
  const expectQuiet = (device: BrowserDevice): void => {
    expect(device.errors).toEqual([])
    expect(device.foreignRequests([preview.origin])).toEqual([])
  }
  const expectAccessible = async (page: Page, what: Look = 'everything'): Promise<void> => {
    expect(await barriersOf(page, what)).toEqual([])
  }
  const overflow = (page: Page): Promise<number> =>
    page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)

  // each screen is opened once for a size, and everything about it is looked at there
  for (const size of ['phone', 'desktop'] as const) {
    it(`are accessible, quiet and as wide as the window on a ${size}`, async () => {
      const device = await browser.device({ size })
      const { page } = device
      for (const scenario of SCENARIOS) {
        await open(page, scenario)
        // the light colours are looked at on a desktop, the dark ones on a phone
        await expectAccessible(page, size === 'phone' ? 'all but colours' : 'everything')
        expect(await overflow(page), scenario).toBeLessThanOrEqual(0)
        await shoot(page, `${scenario}-${size}-light`)
        if (size === 'phone') await expectFitForPhones(page, scenario)
      }
      expectQuiet(device)
      await device.close()
    }, 300_000)
  }

  /** Targets of 44 px; the colours in the dark; 320 px, also with text at twice its size. */
  const expectFitForPhones = async (page: Page, scenario: Scenario): Promise<void> => {
    expect(await smallTargets(page), scenario).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    await expectAccessible(page, 'colours')
    await shoot(page, `${scenario}-phone-dark`)
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 320, height: 640 })
    expect(await overflow(page), `${scenario} at 320 px`).toBeLessThanOrEqual(0)
    await page.evaluate(() => {
      document.documentElement.style.fontSize = '200%'
    })
    expect(await overflow(page), `${scenario} at 200 %`).toBeLessThanOrEqual(0)
    await shoot(page, `${scenario}-320-large`)
    await page.setViewportSize(SIZES.phone)
  }

  const smallTargets = (page: Page): Promise<object[]> =>
    page
      .locator('button:visible, a:visible:not(.prose a, .skip), textarea:visible, input:visible')
      .evaluateAll((elements) =>
        elements
          .filter((element) => !element.classList.contains('inline-link'))
          .map((element) => {
            const box = (element.closest('.field') ?? element).getBoundingClientRect()
            return {
              name: element.getAttribute('aria-label') ?? element.textContent,
              width: box.width,
              height: box.height,
            }
          })
          .filter((box) => box.height < 43.5 || box.width < 31.5),
      )

  it('stay readable in high contrast and without motion', async () => {
    const device = await browser.device({ size: 'phone' })
    for (const scenario of ['streaming', 'devices', 'settings', 'security', 'security-faulty'] as const) {
      await open(device.page, scenario)
      await device.page.evaluate(() => {
        document.documentElement.dataset['contrast'] = 'more'
      })
      await expectAccessible(device.page)
    }
    await device.close()
  })

  it('ask and answer by the names that scripts and readers know', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'empty')
    await expect(page.getByRole('textbox', { name: 'Message', exact: true }).count()).resolves.toBe(1)
    await expect(page.getByRole('button', { name: 'Send', exact: true }).count()).resolves.toBe(1)
    await expect(page.getByRole('button', { name: 'Stop', exact: true }).count()).resolves.toBe(0)
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Message')

    await page.keyboard.type('How do I sort photos?')
    await page.keyboard.press('Enter')
    const answer = page.locator('article[data-author="ai"]')
    await answer.and(page.locator('[data-state="streaming"]')).waitFor()
    await expect(page.getByRole('button', { name: 'Stop', exact: true }).count()).resolves.toBe(1)
    await expect(page.getByRole('button', { name: 'Send', exact: true }).count()).resolves.toBe(0)
    await expect(page.locator('article[data-author="person"][data-state="done"]').count()).resolves.toBe(1)
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await answer.and(page.locator('[data-state="stopped"]')).waitFor()
    expect(await answer.textContent()).toContain('Stopped after')

    await page.getByRole('button', { name: 'Answer again' }).click()
    await answer.and(page.locator('[data-state="done"]')).waitFor({ timeout: 60_000 })
    await page.getByText('2/2').waitFor()
    const line = page.getByRole('button', { name: /^Desktop/ })
    expect(await line.innerText()).toMatch(/^Desktop · SmolLM2-135M-Instruct · 41 tok\/s · 0\.6 s/)
    await line.click()
    await page.getByRole('heading', { name: 'Why Desktop' }).waitFor()
    await shoot(page, 'explained-desktop-light')
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'Why Desktop' }).waitFor({ state: 'detached' })
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('route-line')
    expect(await page.getByRole('status').textContent()).toMatch(/^Answer complete, \d+ words$/)

    await page.getByRole('button', { name: 'Earlier version' }).click()
    await answer.and(page.locator('[data-state="stopped"]')).waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('ask with other words as a new branch, and keep a draft in its chat', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'why')
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill('half a thought')
    await page.getByRole('link', { name: 'New chat' }).click()
    expect(await page.getByRole('textbox', { name: 'Message', exact: true }).inputValue()).toBe('')
    await page.goBack()
    expect(await page.getByRole('textbox', { name: 'Message', exact: true }).inputValue()).toBe('half a thought')

    await page.locator('article[data-author="person"]').last().hover()
    await page.getByRole('button', { name: 'More about this question' }).last().click()
    await page.getByRole('menuitem', { name: 'Edit' }).click()
    await page.getByRole('textbox', { name: 'Other words' }).fill('Show one name only.')
    await expect(page.getByRole('textbox', { name: 'Message' }).count()).resolves.toBe(1)
    await page.getByRole('button', { name: 'Ask with these words' }).click()
    await page.locator('article[data-author="ai"][data-state="streaming"]').waitFor()
    await page.getByText('Show one name only.').waitFor()
    await page.getByText('2/2').first().waitFor()
    expectQuiet(device)
    await device.close()
  })

  for (const size of ['phone', 'desktop'] as const) {
    it(`say on a ${size} what came late of a removed device, show it on request, and go on from it only then`, async () => {
      const device = await browser.device({ size })
      const { page } = device
      await open(page, 'late')
      const line = page.getByRole('button', { name: '2 messages came late · Show' })
      await page.getByRole('button', { name: '1 message came late · Show' }).waitFor()
      await expect(page.getByText('Forget the photos.').count()).resolves.toBe(0)
      await line.click()
      const late = page.getByRole('article', { name: /that came late/ })
      expect(await late.count()).toBe(2)
      await late.first().getByText('Came late from a device that was removed.').waitFor()
      // as high as all of it: what is scrolled out of sight lies under buttons, as axe sees it
      await page.setViewportSize({ ...SIZES[size], height: 2_400 })
      await expectAccessible(page)
      expect(await overflow(page)).toBeLessThanOrEqual(0)
      if (size === 'phone') expect(await smallTargets(page)).toEqual([])
      await page.setViewportSize(SIZES[size])
      await page.getByText('They are no part of this conversation').scrollIntoViewIfNeeded()
      await shoot(page, `late-shown-${size}-light`)
      await page.emulateMedia({ colorScheme: 'dark' })
      await shoot(page, `late-shown-${size}-dark`)
      await page.emulateMedia({ colorScheme: 'light' })
      await late.last().getByRole('button', { name: 'Go on from here' }).click()
      await page.getByRole('status').getByText('It is part of the conversation now.').waitFor()
      expect(await late.count()).toBe(0)
      const chosen = page.locator('article[data-author]', { hasText: 'Came late from a device that was removed.' })
      expect(await chosen.count()).toBe(2)
      await expect(page.getByRole('log').evaluate((log) => log === document.activeElement)).resolves.toBe(true)
      await shoot(page, `late-chosen-${size}-light`)
      expectQuiet(device)
      await device.close()
    })
  }

  it('follow a growing answer only while one reads at its end', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'why')
    const log = page.getByRole('log')
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill('More')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.locator('article[data-state="streaming"]').waitFor()
    await log.evaluate((box) => {
      box.scrollTop -= 300
    })
    const button = page.getByRole('button', { name: 'New text below' })
    await button.waitFor()
    const held = await log.evaluate((box) => box.scrollTop)
    await page.locator('article[data-author="ai"][data-state="done"]').nth(2).waitFor({ timeout: 60_000 })
    expect(await log.evaluate((box) => box.scrollTop)).toBe(held)
    await button.click()
    expect(await log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight)).toBeLessThanOrEqual(8)
    await device.close()
  })

  it('join by one button and then stand ready to ask', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'joining')
    await expect(page.getByRole('button', { name: /^Join/ }).count()).resolves.toBe(1)
    await page.getByRole('button', { name: /^Join/ }).click()
    await page.getByRole('textbox', { name: 'Message', exact: true }).waitFor()
    expect(new URL(page.url()).hash).toBe('')
    await open(page, 'pending')
    await page.getByRole('button', { name: 'They match' }).click()
    await page.locator('#main').getByText('Willow Finch has joined.').waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('invite with a code, rename and remove devices, by keyboard alone', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'add')
    await page.getByRole('button', { name: 'Show the code' }).press('Enter')
    await page.getByRole('img', { name: 'QR code with the invitation' }).waitFor()
    await expectAccessible(page)
    await shoot(page, 'invitation-desktop-light')

    await open(page, 'devices')
    await page.getByRole('link', { name: /^Laptop/ }).press('Enter')
    await page.getByRole('heading', { name: 'Laptop' }).waitFor()
    await page.getByRole('button', { name: 'Rename' }).press('Enter')
    await page.getByRole('textbox', { name: 'Name' }).fill('Studio')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Studio' }).waitFor()
    await page.getByRole('button', { name: 'Remove', exact: true }).press('Enter')
    await page.getByRole('heading', { name: 'Remove Studio?' }).waitFor()
    await page.getByText('1 model, 98.4 MB').waitFor()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Remove Studio' }).press('Enter')
    await page.getByRole('link', { name: /^Studio/ }).waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'Studio is removed' }).waitFor()
    await page.getByText('Told 1 of 3 devices').waitFor()
    await expectAccessible(page)
    expectQuiet(device)
    await device.close()
  })

  for (const size of ['phone', 'desktop'] as const) {
    it(`say on a ${size} where a link is opened, what to trust first, and how to open the network`, async () => {
      const device = await browser.device({ size })
      const { page } = device
      const shot = (name: string) => shoot(page, `${name}-${size}`, { fullPage: true })
      await open(page, 'add')
      await page.getByRole('radio', { name: 'Another device', checked: true }).waitFor()
      await page.getByRole('img', { name: 'QR code with the page that tells how to trust this helper' }).waitFor()
      await page.getByText('http://192.168.7.7:7539/trust').waitFor()
      await shot('add-trust')
      await page.getByRole('button', { name: 'Show the code' }).click()
      await page.getByText(/^https:\/\/192\.168\.7\.7:7539\/#/).waitFor()
      await expectAccessible(page)
      expect(await overflow(page)).toBeLessThanOrEqual(0)
      await shot('add-elsewhere')
      await page.getByRole('radio', { name: 'This computer' }).click()
      await page.getByText(/opens in browsers on this computer only/).waitFor()

      await open(page, 'add-closed')
      await page.getByRole('radio', { name: 'This computer', checked: true }).waitFor()
      await page.getByRole('radio', { name: 'Another device' }).click()
      await page.getByText('npm run -s plexus -- lan on').waitFor()
      expect(await page.getByRole('button', { name: 'Show the code' }).count()).toBe(0)
      await expectAccessible(page)
      expect(await overflow(page)).toBeLessThanOrEqual(0)
      await shot('add-closed-elsewhere')

      await open(page, 'guest-waits')
      await page
        .getByRole('region', { name: 'Notice' })
        .getByText('Willow Finch asks to be let in as a guest.')
        .waitFor()
      await page.getByRole('region', { name: 'Notice' }).getByRole('link', { name: 'Compare' }).click()
      await page.getByText(/^It comes as a guest\./).waitFor()
      await expectAccessible(page)
      await shot('guest-compare')
      expectQuiet(device)
      await device.close()
    })
  }

  it('invite a person with a role, and take an open invitation back', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'add')
    await page.getByRole('radio', { name: 'A person' }).click()
    await page.getByRole('textbox', { name: 'Their name' }).fill('Cleo')
    const guest = page.getByRole('radio', { name: /^Guest.*reads and writes nothing/ })
    await guest.click()
    expect(await guest.getAttribute('aria-checked')).toBe('true')
    await expectAccessible(page)
    await shoot(page, 'person-phone-light')
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('button', { name: 'Revoke' }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Show the code' }).click()
    await page.getByRole('img', { name: 'QR code with the invitation' }).waitFor()
    await page.goto(`${preview.origin}/below/?scenario=security-invitations`)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('The invitation is revoked').first().waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('tell the ledger in sentences, filtered, and as a file', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'security')
    await page.getByRole('heading', { name: '3 devices, 3 people, all verified.' }).waitFor()
    const entries = page.getByRole('list', { name: 'Ledger, newest first' }).getByRole('listitem')
    expect(await entries.first().innerText()).toMatch(/^The keys of the mesh changed, epoch 8\. 3 devices hold them\./)
    expect(await entries.count()).toBe(23)
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.getByRole('combobox', { name: 'About' }).selectOption('ignored')
    expect(await entries.allInnerTexts()).toEqual([
      expect.stringContaining('Set aside, by rule: A removal beats what the removed did at the same time.'),
      expect.stringContaining('Set aside, by rule: The role of its author does not allow it.'),
    ])
    await page.getByRole('combobox', { name: 'Signed by a device of' }).selectOption('Bob')
    expect(await entries.count()).toBe(1)
    await expectAccessible(page)
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    expect((await download).suggestedFilename()).toMatch(/^Plexus ledger .*\.json$/)
    await page.getByRole('button', { name: 'Check again' }).press('Enter')
    await expect.poll(() => page.getByRole('status').textContent()).toBe('3 devices, 3 people, all verified.')
    expectQuiet(device)
    await device.close()
  })

  it('give a role after saying what it means, and remove a person with all devices', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'security-people')
    await page.getByRole('button', { name: 'More about Bob' }).click()
    await page.getByRole('menuitemcheckbox', { name: /^Guest/ }).click()
    const dialog = page.getByRole('alertdialog')
    await dialog.getByText('Then: Asks and gets answers.').waitFor()
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Make Bob a guest' }).click()
    await page.getByText('Bob is a guest now').first().waitFor()
    await page.getByRole('button', { name: 'More about Bob' }).click()
    await page.getByRole('menuitem', { name: 'Remove' }).click()
    await page.getByRole('heading', { name: 'Remove Bob?' }).waitFor()
    await page.getByRole('button', { name: 'Remove Bob' }).click()
    await page.getByRole('heading', { name: 'Tablet is removed' }).waitFor()
    await page.getByRole('button', { name: 'Close' }).last().click()
    await expect(page.getByText('Bob', { exact: true }).count()).resolves.toBe(0)
    await page.getByRole('heading', { name: '2 devices, 2 people, all verified.' }).waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('block the ledger that fails its check, everywhere and with its cause', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'security-faulty')
    await page.getByRole('alert').getByText('its signature is not that of Desktop').waitFor()
    await expect(page.getByRole('tab').count()).resolves.toBe(0)
    await page.getByRole('link', { name: 'Chat', exact: true }).click()
    await page.getByText('The ledger of this mesh did not pass its check.').waitFor()
    await page.getByRole('link', { name: 'Look', exact: true }).click()
    await page.getByRole('heading', { name: /not verified/ }).waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('compare the key of a device by its check digits', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'device-sheet')
    const groups = await page.locator('.fingerprint li').allInnerTexts()
    expect(groups).toHaveLength(8)
    const field = page.getByRole('textbox', { name: 'Compare with' })
    await field.fill(groups.join(' ').toLowerCase())
    await page.getByText('The same key.').waitFor()
    await field.fill(groups.join('').replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')))
    await page.getByText('A slip in it').waitFor()
    await page.getByText('by an invitation of Amber Heron, pictures compared').waitFor()
    await expectAccessible(page)
    expectQuiet(device)
    await device.close()
  })

  it('ask about a new device once on each device, and lead to removing it', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'newcomer')
    const banner = page.getByText('New device joined 2 min ago: Willow Finch. Was it you?')
    await banner.waitFor()
    await page.getByRole('link', { name: 'Remove', exact: true }).click()
    await page.getByRole('heading', { name: 'Remove Willow Finch?' }).waitFor()
    await page.getByRole('button', { name: 'Keep Willow Finch' }).click()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'It was me' }).click()
    await banner.waitFor({ state: 'detached' })
    await open(page, 'newcomer')
    await page.getByRole('link', { name: /^Willow Finch/ }).waitFor()
    await expect(banner.count()).resolves.toBe(0)
    expectQuiet(device)
    await device.close()
  })

  it('delete everything here on a removed device, and only then', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'removed')
    await page.evaluate(async () => {
      localStorage.setItem('plexus.theme', 'dark')
      localStorage.setItem('other', 'kept')
      await new Promise((resolve) => {
        indexedDB.open('plexus').addEventListener('success', (event) => {
          ;(event.target as IDBOpenDBRequest).result.close()
          resolve(undefined)
        })
      })
    })
    const kept = (): Promise<unknown> =>
      page.evaluate(async () => [
        Object.keys(localStorage).sort(),
        (await indexedDB.databases()).map(({ name }) => name),
      ])
    await page.getByRole('button', { name: 'Delete my data here' }).click()
    await expectAccessible(page)
    await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click()
    expect(await kept()).toEqual([['other', 'plexus.theme'], ['plexus']])
    await page.getByRole('button', { name: 'Delete my data here' }).click()
    const reloaded = page.waitForEvent('load')
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete my data here' }).click()
    await reloaded
    expect(await kept()).toEqual([['other'], []])
    expectQuiet(device)
    await device.close()
  })

  for (const size of ['phone', 'desktop'] as const) {
    it(`show six words large on a ${size}, and hide them when one cancels`, async () => {
      const device = await browser.device({ size })
      const { page } = device
      await open(page, 'alone')
      await page.getByRole('button', { name: 'Show six words' }).click()
      const words = page.getByRole('list', { name: 'Six words, in order' }).getByRole('listitem')
      expect(await words.count()).toBe(6)
      await page.getByText('Waiting for the words to be typed').waitFor()
      await expectAccessible(page)
      expect(await overflow(page)).toBeLessThanOrEqual(0)
      await shoot(page, `six-words-${size}`, { fullPage: true })
      await page.getByRole('button', { name: 'Cancel' }).click()
      expect(await words.count()).toBe(0)
      expectQuiet(device)
      await device.close()
    })

    it(`say on a ${size} what to do where no camera is`, async () => {
      const device = await browser.device({ size })
      const { page } = device
      await open(page, 'alone')
      await page.getByRole('button', { name: 'Scan a code' }).click()
      const dialog = page.getByRole('dialog', { name: 'Scan a code' })
      await dialog.getByRole('alert').getByText('Paste the link instead').waitFor()
      await expectAccessible(page)
      await shoot(page, `scan-none-${size}`)
      await dialog.getByRole('button', { name: 'Cancel' }).click()
      expect(await dialog.count()).toBe(0)
      expectQuiet(device)
      await device.close()
    })

    it(`take typed words on a ${size}, say what knocks, and admit it only then`, async () => {
      const device = await browser.device({ size })
      const { page } = device
      await open(page, 'add')
      await page.getByText('Only type words you see yourself').waitFor()
      const field = page.getByRole('textbox', { name: 'The six words' })
      const find = page.getByRole('button', { name: 'Find the device' })
      await field.fill('too few')
      await find.click()
      await page.getByRole('alert').getByText('These are not six words').waitFor()
      await field.fill('one two three four five six')
      await find.click()
      await page.getByRole('alert').getByText('No device shows these words').waitFor()
      expect(await page.getByRole('button', { name: 'Admit' }).count()).toBe(0)
      await field.fill('meadow cradle zebra piano umbrella sister')
      await find.click()
      await page.getByText('Jade Otter').first().waitFor()
      await expectAccessible(page)
      expect(await overflow(page)).toBeLessThanOrEqual(0)
      await shoot(page, `typed-words-${size}`, { fullPage: true })
      await page.getByRole('button', { name: 'Admit' }).click()
      await page.getByText('Jade Otter has joined.').first().waitFor()
      await page.getByRole('textbox', { name: 'The six words' }).waitFor()
      expectQuiet(device)
      await device.close()
    })
  }

  it('lead to a room', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'rooms')
    await page.getByRole('link', { name: 'Rooms' }).first().waitFor()
    await page.getByRole('link', { name: /^Book circle/ }).click()
    await page.getByRole('heading', { name: 'Book circle' }).waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('write in a room, address by name with the keyboard, and tell how far a message came', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'room')
    const composer = page.getByRole('textbox', { name: 'Message', exact: true })
    await expect(composer.count()).resolves.toBe(1)
    await expect(page.getByRole('button', { name: 'Send', exact: true }).count()).resolves.toBe(1)
    await expect(page.getByRole('button', { name: 'Stop', exact: true }).count()).resolves.toBe(0)
    await page.getByText('Alice is writing').waitFor()

    await composer.pressSequentially('Ask @')
    await page.getByRole('option', { name: /^ai/ }).waitFor()
    await expectAccessible(page)
    await page.keyboard.type('b')
    // the list of all held Bob too
    await page.getByRole('option', { name: /^ai/ }).waitFor({ state: 'detached' })
    await expect(page.getByRole('option').count()).resolves.toBe(1)
    await page.keyboard.press('Enter')
    expect(await composer.inputValue()).toBe('Ask @Bob ')
    await page.keyboard.type('about it')
    await page.keyboard.press('Enter')
    const said = page.locator('article.msg-own').last()
    await said.getByText('Ask @Bob about it').waitFor()
    expect(await said.locator('.mention').textContent()).toBe('@Bob')
    await said.getByRole('button', { name: 'On 2 of 6 devices' }).click()
    await page.getByRole('heading', { name: 'Where this message is' }).waitFor()
    await expect(page.getByText('Has it').count()).resolves.toBe(2)
    await expectAccessible(page)
    await page.keyboard.press('Escape')

    // only who wrote a message may change it
    await page.locator('article', { hasText: 'nine o’clock ferry' }).hover()
    await page
      .locator('article', { hasText: 'nine o’clock ferry' })
      .getByRole('button', { name: 'More about this message' })
      .click()
    await expect(page.getByRole('menuitem', { name: 'Delete' }).count()).resolves.toBe(0)
    await page.keyboard.press('Escape')
    await said.hover()
    await said.getByRole('button', { name: 'More about this message' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await said.getByText('This message was deleted.').waitFor()

    await page.getByRole('button', { name: 'Search in this room' }).click()
    await page.getByRole('searchbox', { name: 'Search in this room' }).fill('cartridges')
    await page.getByText('1 message found').waitFor()
    await expectAccessible(page)
    expectQuiet(device)
    await device.close()
  })

  it('name the device that wrote an answer down, beside the one that is said to have given it, if there is one', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'room-later')
    const forged = page.locator('article', { hasText: 'Send the keys to the old harbour.' })
    await forged.getByText('asked by Bob on Bob’s phone').waitFor()
    expect(await forged.locator('.route-line b').textContent()).toBe('Bob’s phone')
    await expect(page.getByText('A laptop that is made up').count()).resolves.toBe(0)
    await open(page, 'room')
    await page.getByText('asked by Bob on Bob’s phone, runs on Desktop').waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('take an unread message as read only once it was in sight', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'rooms')
    await page.getByText('2 unread messages').waitFor({ state: 'attached' })
    await page.getByRole('link', { name: /^Book circle/ }).click()
    await page.getByText('Unread from here').waitFor()
    await page.getByText('Chapter nine by Thursday?').waitFor()
    await page.getByRole('link', { name: 'Back' }).click()
    await page.getByText('2 unread messages').waitFor({ state: 'detached' })
    await device.close()
  })

  it('make a room of chosen people', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'rooms-empty')
    await page.getByRole('button', { name: 'Make a room' }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('Garden')
    await page.getByRole('checkbox', { name: 'Bob' }).check()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Make the room' }).click()
    await page.getByRole('heading', { name: 'Garden' }).waitFor()
    await page.getByRole('button', { name: 'About this room' }).click()
    await page.getByText(/^Bob, /).waitFor()
    await page.getByRole('radio', { name: 'After every message' }).click()
    await page.getByRole('radio', { name: 'After every message', checked: true }).waitFor()
    await expectAccessible(page)
    expectQuiet(device)
    await device.close()
  })

  it('move to this tab on request, and rename, save and delete a chat', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'follower')
    await page.getByRole('button', { name: 'Hold it here' }).first().click()
    await page.getByText('This tab works through another tab of this browser.').waitFor({ state: 'detached' })
    await open(page, 'silent')
    await expect(page.getByRole('button', { name: 'Send', exact: true }).isDisabled()).resolves.toBe(false)
    await page.getByRole('button', { name: 'Use it here' }).click()
    await page.getByText('The tab that holds the connection does not answer.').waitFor({ state: 'detached' })

    const more = page.getByRole('button', { name: 'More about this chat' })
    await more.click()
    const download = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: 'Save as Markdown' }).click()
    expect((await download).suggestedFilename()).toBe('Photo archive.md')
    await more.click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('Holiday pictures')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('heading', { name: 'Holiday pictures' }).waitFor()
    await more.click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('heading', { name: 'New chat' }).waitFor()
    await page.getByRole('link', { name: 'Chats' }).click()
    await page.getByRole('link', { name: /^Lentil soup/ }).waitFor()
    await expect(page.getByRole('link', { name: /^Holiday pictures/ }).count()).resolves.toBe(0)
    expectQuiet(device)
    await device.close()
  })

  it('unlock by keyboard alone, say what was wrong, and make one wait', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'locked')
    // the field is where one is
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('That did not open it.').waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Enter')
    await page.getByText(/After so many wrong tries/).waitFor()
    await expect(page.getByRole('button', { name: 'Unlock' }).isDisabled()).resolves.toBe(true)
    await shoot(page, 'locked-wrong-phone-light')
    const field = page.getByRole('textbox', { name: 'Passphrase' })
    await page.getByRole('button', { name: 'Show what is typed' }).press('Enter')
    await field.fill(PASSPHRASE)
    await page.getByRole('button', { name: 'Unlock', disabled: false }).press('Enter')
    await page.getByRole('textbox', { name: 'Message' }).waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('set a passphrase only when it was typed twice alike, add a passkey, and take both away', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'settings')
    await page.getByRole('button', { name: 'Set a passphrase' }).click()
    const [first, again] = [page.getByLabel('Passphrase', { exact: true }), page.getByLabel('Once more')]
    const lock = page.getByRole('button', { name: 'Lock', exact: true })
    await first.fill('short')
    await lock.click()
    await page.getByText('It needs at least 8 characters.').waitFor()
    await expectAccessible(page)
    await shoot(page, 'lock-set-phone-light')
    await first.fill(PASSPHRASE)
    await again.fill(`${PASSPHRASE}s`)
    await page.getByText('The two are not the same.').waitFor()
    await again.fill(PASSPHRASE)
    await lock.click()
    await page.getByText('This page is locked when it closes.').waitFor()
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByRole('textbox', { name: 'Name of the passkey' }).fill('Fingerprint')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Remove: Passkey “Fingerprint”' }).click()
    await page.getByRole('button', { name: 'Remove: Passphrase' }).click()
    await page.getByText('This page opens by itself.').waitFor()
    expectQuiet(device)
    await device.close()
  })

  it('say that this browser may delete what is here only once there is something, and what helps', async () => {
    const device = await browser.device({ size: 'phone' })
    const { page } = device
    await open(page, 'settings')
    await expect(page.getByRole('button', { name: 'Later' }).count()).resolves.toBe(0)
    await page.getByRole('link', { name: 'Add a second device' }).waitFor()
    await open(page, 'may-vanish')
    const banner = page.getByRole('region', { name: 'Notice' })
    await banner.getByText('may delete your chats').waitFor()
    await banner.getByRole('button', { name: 'Ask to keep them' }).click()
    await banner.getByText('It did not agree').waitFor()
    await expectAccessible(page)
    await banner.getByRole('link', { name: 'What to do' }).click()
    await page.getByText('Install the page from its menu').waitFor()
    await page.getByRole('main').getByRole('button', { name: 'Ask to keep them' }).click()
    await page.getByText('This browser keeps your chats until you delete them.').waitFor()
    await expect(banner.getByText('may delete').count()).resolves.toBe(0)
    await open(page, 'may-vanish')
    await banner.getByRole('button', { name: 'Later' }).click()
    await banner.getByText('may delete').waitFor({ state: 'detached' })
    await open(page, 'may-vanish')
    await page.locator('article').first().waitFor()
    await expect(banner.getByText('may delete').count()).resolves.toBe(0)
    expectQuiet(device)
    await device.close()
  })

  it('ask before a link leaves, and copy code', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'why')
    await page.getByRole('link', { name: /the manual/ }).click()
    await page.getByRole('alertdialog').getByText('https://exiftool.org/faq.html').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await device.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy', exact: true }).first().click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('exiftool -s3')
    await page.locator('.tone-string').first().waitFor()
    expect(device.context.pages()).toHaveLength(1)
    expectQuiet(device)
    await device.close()
  })

  it('survive every hostile text, whole and cut in the middle: nothing runs, loads or leads astray', async () => {
    expect(HOSTILE_TEXTS.length).toBeGreaterThanOrEqual(60)
    // without the page's policy, so that it is the renderer that holds
    const context = await browser.browser.newContext({ bypassCSP: true })
    const requests: string[] = []
    context.on('request', (request) => requests.push(request.url()))
    const page = await context.newPage()
    await open(page, 'hostile')
    const texts = [...HOSTILE_TEXTS, ...HOSTILE_TEXTS.map((text) => text.slice(0, Math.ceil(text.length * 0.7)))]
    await page.evaluate((answers) => {
      const { scene } = window as unknown as { scene: { show(answers: readonly string[]): string } }
      window.history.pushState(null, '', `?chat=${scene.show(answers)}`)
      window.dispatchEvent(new PopStateEvent('popstate'))
    }, texts)
    await page
      .locator('article')
      .nth(texts.length - 1)
      .waitFor()
    // links are hovered, so that what waits for a mouse gets one
    for (const link of await page.locator('.prose a').all()) await link.dispatchEvent('mouseover')
    const found = await page.evaluate(() => {
      const inside = [...document.querySelectorAll('.prose *')]
      const known =
        'P BR HR EM STRONG DEL CODE PRE BLOCKQUOTE UL OL LI A SPAN DIV H3 H4 H5 H6 TABLE THEAD TBODY TR TH TD FIGURE FIGCAPTION BUTTON svg path rect'.split(
          ' ',
        )
      return {
        pwned: 'pwned' in window,
        unknown: inside
          .filter((element) => !known.includes(element.tagName))
          .map((element) => element.outerHTML.slice(0, 120)),
        handlers: inside
          .filter((element) => element.getAttributeNames().some((name) => name.startsWith('on') || name === 'style'))
          .map((element) => element.outerHTML.slice(0, 120)),
        ids: inside
          .filter((element) => element.id !== '' && element.closest('figure') === null)
          .map((element) => element.outerHTML.slice(0, 120)),
        links: inside
          .filter((element) => element instanceof HTMLAnchorElement && !/^(https?|mailto):/.test(element.href))
          .map((element) => element.outerHTML),
      }
    })
    expect(found).toEqual({ pwned: false, unknown: [], handlers: [], ids: [], links: [] })
    expect(requests.filter((url) => !url.startsWith(preview.origin) && /^(https?|wss?):/.test(url))).toEqual([])
    expect(page.url()).toContain(preview.origin)
    await context.close()
  })

  it('keep every message readable beside one that is made to break its chat', async () => {
    const device = await browser.device()
    const { page } = device
    await open(page, 'hostile')
    const deep = '>'.repeat(3_000)
    const texts = [
      'The first **answer**.',
      `${deep} within`,
      `${'- '.repeat(20_000)}x`,
      '*a **b '.repeat(10_000),
      '[a]('.repeat(20_000),
      `${'|a'.repeat(300)}\n${'|-'.repeat(300)}\n${'|\n'.repeat(40_000)}`,
      'BREAKS its own message',
      'The last **answer**.',
    ]
    await page.evaluate((answers) => {
      // a message whose own screen fails, whatever the reason
      const { set } = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML') ?? {}
      Object.defineProperty(Element.prototype, 'innerHTML', {
        configurable: true,
        set(this: Element, html: unknown) {
          if (String(html).includes('BREAKS')) throw new RangeError('broken on purpose')
          set?.call(this, html)
        },
      })
      const { scene } = window as unknown as { scene: { show(answers: readonly string[]): string } }
      window.history.pushState(null, '', `?chat=${scene.show(answers)}`)
      window.dispatchEvent(new PopStateEvent('popstate'))
    }, texts)
    await page.getByText('The last answer.').waitFor()
    expect(await page.getByText('The first answer.').isVisible()).toBe(true)
    expect(await page.getByText('BREAKS its own message').isVisible()).toBe(true)
    expect(await page.locator('strong', { hasText: 'answer' }).count()).toBe(2)
    expect(await page.getByText('Shown as it was written').count()).toBeGreaterThanOrEqual(5)
    expect(await page.locator('article[data-state="plain"]').count()).toBe(1)
    expect(
      await page
        .locator('article')
        .filter({ hasText: '>'.repeat(2_000) })
        .count(),
    ).toBe(1)
    expect(device.errors).toEqual([])
    await device.close()
  })
})
