/** Which colours: what the system asks for, or one of the two. */
export const THEMES = ['system', 'light', 'dark'] as const
/** One of {@link THEMES}. */
export type Theme = (typeof THEMES)[number]

/** How strong: what the system asks for, or more. */
export const CONTRASTS = ['system', 'more'] as const
/** One of {@link CONTRASTS}. */
export type Contrast = (typeof CONTRASTS)[number]

/** What a person chose for their eyes. */
export interface Look {
  readonly theme: Theme
  readonly contrast: Contrast
}

const BAR_COLOURS = { light: '#f1f3ed', dark: '#11150f' } as const

/** Shows a look on the whole document, the browser's own bar included. */
export function applyLook(look: Look, root: HTMLElement = document.documentElement): void {
  set(root, 'theme', look.theme)
  set(root, 'contrast', look.contrast)
  const metas = root.ownerDocument.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')
  for (const meta of metas) {
    const own = meta.media.includes('dark') ? 'dark' : 'light'
    meta.content = BAR_COLOURS[look.theme === 'system' ? own : look.theme]
  }
}

function set(root: HTMLElement, name: 'theme' | 'contrast', value: string): void {
  if (value === 'system') root.removeAttribute(`data-${name}`)
  else root.setAttribute(`data-${name}`, value)
}
