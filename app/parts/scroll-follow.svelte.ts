import type { Attachment } from 'svelte/attachments'

/** This near to the end counts as being at it, in CSS pixels. */
const AT_END_PX = 8

/**
 * Follows a growing text only while the person is at its end. Any move upward
 * lets go; reaching the end, or asking for it, takes hold again. Our own moves
 * only ever go down, so an upward one is always the person's.
 */
export class ScrollFollow {
  #following = $state(true)
  #missed = $state(false)
  #box: HTMLElement | undefined

  /** True when text came that is below what is seen. */
  get missed(): boolean {
    return this.#missed && !this.#following
  }

  /** For the scrolling element; its first child is what grows. */
  readonly attach: Attachment<HTMLElement> = (box) => {
    this.#box = box
    let lastTop = box.scrollTop
    const onScroll = (): void => {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight <= AT_END_PX
      if (atEnd) this.#hold()
      else if (box.scrollTop < lastTop - 1) this.#following = false
      lastTop = box.scrollTop
    }
    box.addEventListener('scroll', onScroll, { passive: true })
    const observer = new ResizeObserver(() => {
      if (this.#following) box.scrollTop = box.scrollHeight
      else this.#missed = true
    })
    observer.observe(box)
    if (box.firstElementChild !== null) observer.observe(box.firstElementChild)
    return () => {
      box.removeEventListener('scroll', onScroll)
      observer.disconnect()
      this.#box = undefined
    }
  }

  /** Goes to the end and follows again. */
  toEnd(): void {
    this.#hold()
    if (this.#box !== undefined) this.#box.scrollTop = this.#box.scrollHeight
  }

  #hold(): void {
    this.#following = true
    this.#missed = false
  }
}
