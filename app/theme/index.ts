/**
 * The look: tokens, sheets and the font, and the choice of theme and contrast.
 * Promises that a choice shows at once and survives a reload. Knows nothing of screens.
 */
import '@fontsource-variable/atkinson-hyperlegible-next/wght.css'
import './app.css'

export { applyLook, CONTRASTS, THEMES, type Contrast, type Look, type Theme } from './look.ts'
