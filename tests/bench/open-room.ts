import type { Page } from 'playwright-core'
import { MeshError } from '../../mesh/base/index.ts'
import { hasChromium, startChromium } from '../kit/chromium.ts'
import type { OpenedRoom } from '../kit/peer-page/peer-page.ts'
import { servePeerPage } from '../kit/peer-page/serve.ts'
import { compare, type Benchmark, type Figure } from './figures.ts'
import { percentile } from './measure.ts'

const MESSAGES = 10_000
const ROUNDS = 8

/**
 * How long a page that was just loaded takes to open a room of ten thousand messages
 * from its sealed store and to make the view that screens are drawn from, beside
 * reading the same texts as plain objects from the same browser's IndexedDB. The
 * figure to keep is 500 ms.
 */
export const openRoom: Benchmark = {
  name: 'open room',
  async run({ say }) {
    if (!hasChromium) {
      say('No Chromium: the figures of opening a room are missing.')
      return []
    }
    const site = await servePeerPage()
    const browser = await startChromium()
    try {
      const { page } = await browser.device()
      await load(page, site.url)
      say(`Writing ${String(MESSAGES)} messages`)
      const room = await page.evaluate((messages) => globalThis.peer.fillRoom(messages), MESSAGES)
      const opened: OpenedRoom[] = []
      const plainMs: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        await page.evaluate(() => globalThis.peer.stop())
        await load(page, site.url)
        opened.push(await page.evaluate((id) => globalThis.peer.openRoom(id), room))
        plainMs.push(await page.evaluate((messages) => globalThis.peer.readPlainMessages(messages), MESSAGES))
      }
      if (opened.some(({ messages }) => messages !== MESSAGES)) throw new MeshError('bug', 'A room opened with less.')
      return [0.5, 0.95].flatMap((fraction): Figure[] => {
        const label = `p${String(fraction * 100)}`
        const reference = { name: `plain objects: ${label}`, value: percentile(plainMs, fraction) }
        const figure = (name: string, samples: readonly number[]): Figure =>
          compare(`${name} ${label}`, percentile(samples, fraction), 'ms', reference, ROUNDS)
        return [
          figure(
            'room of 10,000 opened and drawn',
            opened.map(({ openMs, viewMs }) => openMs + viewMs),
          ),
          figure(
            'of which its view',
            opened.map(({ viewMs }) => viewMs),
          ),
        ]
      })
    } finally {
      await browser.close()
      await site.close()
    }
  },
}

/** A page loaded anew, with nothing warm, and its peer started. */
async function load(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.waitForFunction(() => 'peer' in globalThis)
  await page.evaluate(() => globalThis.peer.start('Phone', { stored: true }))
}
