import { asMeshError, isAbort, type ErrorCode, type MeshError } from '../../mesh/base/index.ts'
import { t } from '../i18n/index.ts'

/** A short word at the edge of the page, with at most one thing to do. */
export interface Toast {
  readonly text: string
  readonly act?: { readonly label: string; readonly run: () => void } | undefined
}

/** Why a wish was not done, for a dialog. */
export interface Failure {
  readonly error: MeshError
}

/** What the page tells on its own: the status region, toasts, failures and the question before a link opens. */
export class Notices {
  #status = $state('')
  #toast = $state.raw<Toast | undefined>()
  #failure = $state.raw<Failure | undefined>()
  #link = $state<string | undefined>()
  #copyText = $state<string | undefined>()
  #toastTimer: ReturnType<typeof setTimeout> | undefined

  /** For the one status region: said politely, once. */
  get status(): string {
    return this.#status
  }
  get toast(): Toast | undefined {
    return this.#toast
  }
  get failure(): Failure | undefined {
    return this.#failure
  }
  /** A link that waits for a yes. */
  get link(): string | undefined {
    return this.#link
  }
  /** A text to be copied by hand, where the browser does not let a page do it. */
  get copyText(): string | undefined {
    return this.#copyText
  }

  say(text: string): void {
    this.#status = text
  }
  /** Shows a toast and says it in the status region; it goes by itself after `lastsMs`. */
  show(toast: Toast, lastsMs = 6_000): void {
    clearTimeout(this.#toastTimer)
    this.#toast = toast
    this.say(toast.text)
    this.#toastTimer = setTimeout(() => {
      this.dismissToast()
    }, lastsMs)
  }
  dismissToast(): void {
    clearTimeout(this.#toastTimer)
    this.#toast = undefined
  }
  /** Runs a wish of the person; a failure is shown, never swallowed. A cancel is none. */
  attempt(wish: Promise<unknown>): Promise<boolean> {
    return wish.then(
      () => true,
      (error: unknown) => {
        if (!isAbort(error)) this.#failure = { error: asMeshError(error) }
        return false
      },
    )
  }
  dismissFailure(): void {
    this.#failure = undefined
  }
  askToOpen(href: string): void {
    this.#link = href
  }
  dismissLink(): void {
    this.#link = undefined
  }
  dismissCopyText(): void {
    this.#copyText = undefined
  }
  /** Copies and says so. */
  async copyAndSay(text: string): Promise<void> {
    if (await this.copy(text)) this.show({ text: t('action.copied') }, 2_500)
  }
  /** The code of anything thrown. */
  codeOf(error: unknown): ErrorCode {
    return asMeshError(error).code
  }
  /** Copies a text. Where the browser forbids it (no secure context), the text is shown to be copied by hand. */
  async copy(text: string): Promise<boolean> {
    try {
      await navigator.clipboard.writeText(text)
      return true
    } catch (error) {
      console.info('the clipboard is closed to this page', error)
      this.#copyText = text
      return false
    }
  }
}
