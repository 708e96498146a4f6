import type { Attachment } from 'svelte/attachments'

/**
 * Keeps the frame as high as what is really seen: on phones the keyboard covers
 * the page without changing its size, and CSS alone does not hear of it.
 */
export const followVisibleHeight: Attachment<HTMLElement> = (frame) => {
  const viewport = window.visualViewport
  if (viewport === null) return
  const follow = (): void => {
    // a zoomed page is the person's own doing: the frame stays as it is
    if (viewport.scale > 1.01) return
    frame.style.setProperty('--view-height', `${String(Math.round(viewport.height))}px`)
    window.scrollTo(0, 0)
  }
  follow()
  viewport.addEventListener('resize', follow)
  return () => {
    viewport.removeEventListener('resize', follow)
  }
}
