import { createEvents, type Logger } from '../../mesh/base/index.ts'
import type { Install } from '../state/index.ts'

/** Chromium's own event; no standard has it. */
interface InstallQuestion extends Event {
  prompt(): Promise<{ readonly outcome: 'accepted' | 'dismissed' }>
}

/** Watches from the first moment whether this browser would install the page: it says so once. */
export function watchInstall(window: Window, log: Logger): Install {
  const changes = createEvents<void>((error) => {
    log.error('a listener failed', { error })
  })
  let question: InstallQuestion | undefined
  let isInstalled = window.matchMedia('(display-mode: standalone)').matches
  window.addEventListener('beforeinstallprompt', (event) => {
    // asked when there is something to lose, never on the first paint
    event.preventDefault()
    question = event as InstallQuestion
    changes.emit()
  })
  window.addEventListener('appinstalled', () => {
    question = undefined
    isInstalled = true
    changes.emit()
  })
  return {
    changes,
    isOffered: () => question !== undefined,
    isInstalled: () => isInstalled,
    async ask() {
      const asked = question
      // it can be shown once
      question = undefined
      changes.emit()
      return asked !== undefined && (await asked.prompt()).outcome === 'accepted'
    },
  }
}
