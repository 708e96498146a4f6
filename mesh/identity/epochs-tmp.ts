import type { Epochs } from './epochs-types.ts'
export function createEpochs(_: unknown): Epochs {
  return {
    changes: { subscribe: () => () => undefined },
    current: () => Promise.reject(new Error('tmp')),
    get: () => undefined,
    rotate: () => Promise.reject(new Error('tmp')),
    shareHistory: () => Promise.resolve(),
    maintain: () => Promise.resolve({ dueInMs: undefined }),
    close() {},
  }
}
