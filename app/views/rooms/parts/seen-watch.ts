import type { Attachment } from 'svelte/attachments'
import type { MessageId } from '../../../../mesh/base/index.ts'

/** How much of a message must be in sight. */
const IN_SIGHT = 0.6

/**
 * Tells which messages were on the screen of a page that was in front. What is
 * scrolled to in a hidden page was not seen.
 */
export class SeenWatch {
  readonly #tell: (messages: readonly MessageId[]) => void
  readonly #observer: IntersectionObserver
  readonly #ids = new WeakMap<Element, MessageId>()
  readonly #inSight = new Set<MessageId>()

  constructor(tell: (messages: readonly MessageId[]) => void) {
    this.#tell = tell
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const id = this.#ids.get(target)
          if (id !== undefined && isIntersecting) this.#inSight.add(id)
          else if (id !== undefined) this.#inSight.delete(id)
        }
        this.look()
      },
      // a message taller than the screen is in sight when it fills it
      { threshold: [0.05, IN_SIGHT], rootMargin: '-10% 0px' },
    )
  }

  /** For the element of a message that is unread. */
  watch(id: MessageId): Attachment<HTMLElement> {
    return (element) => {
      this.#ids.set(element, id)
      this.#observer.observe(element)
      return () => {
        this.#observer.unobserve(element)
        this.#inSight.delete(id)
      }
    }
  }

  /** Tells what is in sight now, if the page is. */
  look(): void {
    if (!document.hidden && this.#inSight.size > 0) this.#tell([...this.#inSight])
  }

  close(): void {
    this.#observer.disconnect()
  }
}
