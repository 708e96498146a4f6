import type { KeepingPorts } from '../../../app/state/index.ts'

/** A browser that may delete what is stored until it is asked a second time, or that says nothing of it. */
export function createFakeKeeping(isAtRisk: boolean): KeepingPorts {
  if (!isAtRisk) return { storage: undefined, install: undefined }
  let asked = 0
  return {
    install: undefined,
    storage: {
      persisted: () => Promise.resolve(asked > 1),
      persist: () => {
        asked += 1
        return Promise.resolve(asked > 1)
      },
      estimate: () => Promise.resolve({ usage: 1_240_000, quota: 10 * 1024 ** 3 }),
    },
  }
}
