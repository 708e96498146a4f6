/**
 * WebCrypto works on the platform's threads, in real time. Virtual time must not run
 * on while it does, or every deadline passes before the first signature is checked.
 */
const pending = new Set<Promise<unknown>>()

const WATCHED = [
  'decrypt',
  'deriveBits',
  'digest',
  'encrypt',
  'exportKey',
  'generateKey',
  'importKey',
  'sign',
  'verify',
]

type Work = (...args: unknown[]) => Promise<unknown>

const subtle = crypto.subtle as unknown as Record<string, Work>
for (const name of WATCHED) {
  const original = subtle[name]?.bind(crypto.subtle)
  if (original === undefined) continue
  const watched: Work = (...args) => {
    const work = original(...args)
    pending.add(work)
    const done = (): void => {
      pending.delete(work)
    }
    work.then(done, done)
    return work
  }
  Object.defineProperty(subtle, name, { value: watched, configurable: true })
}

/** Resolves when the platform has no work of ours left. True when there was some. */
export async function nativeWorkDone(): Promise<boolean> {
  if (pending.size === 0) return false
  await Promise.allSettled([...pending])
  return true
}
