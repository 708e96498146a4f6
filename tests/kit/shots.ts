import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'

const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/plexus-shots', import.meta.url))

/**
 * A picture of what a page shows now, for people to look at: `NAME.png` below
 * `node_modules/.cache/plexus-shots`. Nothing unless PLEXUS_SHOTS is 1, as nobody looks at
 * those of most runs and drawing them took a third of the time of the screens.
 */
export async function shoot(page: Page, name: string, options: { readonly fullPage?: boolean } = {}): Promise<void> {
  if (process.env['PLEXUS_SHOTS'] !== '1') return
  const path = join(FOLDER, `${name}.png`)
  mkdirSync(dirname(path), { recursive: true })
  await page.screenshot({ ...options, path })
}
