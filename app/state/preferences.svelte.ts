import type { ChatId, RoomId } from '../../mesh/base/index.ts'
import { applyLook, CONTRASTS, THEMES, type Contrast, type Look, type Theme } from '../theme/look.ts'

/** Port: small texts that survive a reload where the browser allows it. */
export interface Memory {
  read(key: string): string | undefined
  write(key: string, value: string | undefined): void
}

const NEW_CHAT = 'new'

/** What this person chose in this browser, and what they were writing. */
export class Preferences {
  readonly #memory: Memory
  readonly #drafts: Memory
  #theme = $state<Theme>('system')
  #contrast = $state<Contrast>('system')

  /** `memory` is read before the data is opened; `drafts` are part of the data. */
  constructor(memory: Memory, drafts: Memory = memory) {
    this.#memory = memory
    this.#drafts = drafts
    this.#theme = THEMES.find((theme) => theme === memory.read('theme')) ?? 'system'
    this.#contrast = CONTRASTS.find((contrast) => contrast === memory.read('contrast')) ?? 'system'
  }

  get look(): Look {
    return { theme: this.#theme, contrast: this.#contrast }
  }
  get theme(): Theme {
    return this.#theme
  }
  get contrast(): Contrast {
    return this.#contrast
  }
  chooseTheme(theme: Theme): void {
    this.#theme = theme
    this.#memory.write('theme', theme)
    applyLook(this.look)
  }
  chooseContrast(contrast: Contrast): void {
    this.#contrast = contrast
    this.#memory.write('contrast', contrast)
    applyLook(this.look)
  }
  /** What was being written in a chat or room (absent: in a new chat). */
  draft(chat: ChatId | RoomId | undefined): string {
    return this.#drafts.read(`draft.${chat ?? NEW_CHAT}`) ?? ''
  }
  keepDraft(chat: ChatId | RoomId | undefined, text: string): void {
    this.#drafts.write(`draft.${chat ?? NEW_CHAT}`, text === '' ? undefined : text)
  }
}
