import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'

/** What is wrong on a page: the rule, and the first part of each element that breaks it. */
export type Barrier = readonly [rule: string, elements: readonly string[]]

const HTML_LENGTH = 160

/** What is looked at. Contrast takes as long as everything else together. */
export type Look = 'everything' | 'colours' | 'all but colours'

const COLOURS = ['color-contrast']

/**
 * The barriers on what a page shows now, by the rules of WCAG 2.2 AA and good practice. It
 * looks at the page itself and not into frames: ours have none, and a frame makes this fail.
 */
export async function barriersOf(page: Page, look: Look = 'everything'): Promise<readonly Barrier[]> {
  // in this mode no second page is opened for each look, which took as long as the look
  const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode(true)
  if (look === 'colours') axe.withRules(COLOURS)
  else axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
  if (look === 'all but colours') axe.disableRules(COLOURS)
  const { violations } = await axe.analyze()
  const frames = page.frames().length - 1
  return [
    ...violations.map((rule): Barrier => [rule.id, rule.nodes.map(({ html }) => html.slice(0, HTML_LENGTH))]),
    ...(frames === 0 ? [] : [['frames-not-looked-at', [String(frames)]] satisfies Barrier]),
  ]
}
