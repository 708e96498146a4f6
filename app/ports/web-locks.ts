import { MeshError } from '../../mesh/base/index.ts'
import type { LockPort } from '../peer/index.ts'

const REQUESTS = { wait: {}, 'if-free': { ifAvailable: true }, steal: { steal: true } } as const

/**
 * The lock of this profile, by the Web Locks of the browser. Where there are none (an
 * insecure origin) every tab is alone with its own storage, and holds a lock of its own.
 */
export function createWebLock(name: string, locks: LockManager | undefined): LockPort {
  if (locks === undefined) return createLoneLock()
  return {
    async request(mode, { signal }, hold) {
      const lost = new AbortController()
      const grant = { held: false }
      const run = async (lock: Lock | null): Promise<void> => {
        if (lock === null) return
        grant.held = true
        await hold(lost.signal)
      }
      // a signal may not be combined with the two modes that do not wait
      const how = mode === 'wait' && signal !== undefined ? { signal } : REQUESTS[mode]
      try {
        await locks.request(name, how, run)
      } catch (error) {
        if (!grant.held && signal?.aborted === true) throw new MeshError('aborted', 'Stopped.', { cause: error })
        if (!grant.held)
          throw new MeshError('storage-failed', 'This browser did not give the lock of this page.', { cause: error })
        // stolen: the browser breaks the request of the tab that had it
        lost.abort()
      }
      return grant.held
    },
  }
}

function createLoneLock(): LockPort {
  return {
    async request(_mode, _options, hold) {
      await hold(new AbortController().signal)
      return true
    },
  }
}
