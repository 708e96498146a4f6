import { source, type RunOptions } from 'axe-core'
import type { Page } from 'playwright-core'

/** What is wrong on a page: the rule, and the first part of each element that breaks it. */
export type Barrier = readonly [rule: string, elements: readonly string[]]

const HTML_LENGTH = 160

/** What is looked at. Contrast takes as long as everything else together. */
export type Look = 'everything' | 'colours' | 'all but colours'

const COLOURS = 'color-contrast'
const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const OPTIONS: Record<Look, RunOptions> = {
  everything: { runOnly: STANDARDS },
  colours: { runOnly: { type: 'rule', values: [COLOURS] } },
  'all but colours': { runOnly: STANDARDS, rules: { [COLOURS]: { enabled: false } } },
}

declare global {
  // set in a page by the source of axe
  var axe: typeof import('axe-core') | undefined
}

/**
 * The barriers on what a page shows now, by the rules of WCAG 2.2 AA and good practice. It
 * looks at the page itself and not into frames: ours have none, and a frame makes this fail.
 */
export async function barriersOf(page: Page, look: Look = 'everything'): Promise<readonly Barrier[]> {
  // once for each document: a page that is looked at twice has it already
  if (await page.evaluate(() => globalThis.axe === undefined)) await page.evaluate(source)
  const violations = await page.evaluate(
    async ([options, htmlLength]) => {
      const found = await globalThis.axe?.run(options)
      return found?.violations.map(({ id, nodes }): Barrier => [id, nodes.map(({ html }) => html.slice(0, htmlLength))])
    },
    [{ ...OPTIONS[look], resultTypes: ['violations'] } satisfies RunOptions, HTML_LENGTH] as const,
  )
  if (violations === undefined) return [['nothing-was-looked-at', []]]
  const frames = page.frames().length - 1
  return [...violations, ...(frames === 0 ? [] : [['frames-not-looked-at', [String(frames)]] satisfies Barrier])]
}
