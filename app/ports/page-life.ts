import { createEvents, type EventSource, type Logger } from '../../mesh/base/index.ts'
import type { LifeEvent } from '../peer/index.ts'

/** Tells when the page came back (shown, online, out of the browser's cache) and when it goes. */
export function watchPageLife(page: Window, log: Logger): EventSource<LifeEvent> {
  const life = createEvents<LifeEvent>((error) => {
    log.error('a listener failed', { error })
  })
  page.document.addEventListener('visibilitychange', () => {
    if (page.document.visibilityState === 'visible') life.emit('resumed')
  })
  page.addEventListener('pageshow', (event) => {
    // the first one is the load itself
    if (event.persisted) life.emit('resumed')
  })
  page.addEventListener('online', () => {
    life.emit('resumed')
  })
  page.addEventListener('pagehide', () => {
    life.emit('leaving')
  })
  return life
}
