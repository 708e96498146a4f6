import { throwIfAborted, type PlatformStore, type Store, type StoreOptions } from '../base/index.ts'
import { SEALED_PREFIX } from './sealed-store.ts'

/** Where the ways to the store key lie in the platform's store, in the clear. */
export const VAULT_PREFIX = 'vault/'

/**
 * Seals what an earlier version left unsealed: each record and log is written sealed,
 * then removed as it was; last, the files are rid of it. Nobody may use either store
 * meanwhile. Killed at any write, it goes on where it was when called again: what is
 * there in both forms is the same.
 * @throws MeshError of the stores
 */
export async function sealInPlace(inner: PlatformStore, sealed: Store, options: StoreOptions = {}): Promise<void> {
  for (const { key, value } of await inner.list('', options)) {
    if (!isPlain(key)) continue
    throwIfAborted(options.signal)
    await sealed.put(key, value, options)
    await inner.delete(key, options)
  }
  for (const log of await inner.logs(options)) {
    if (isPlain(log)) await sealLog(inner, sealed, log, options)
  }
  await inner.scrub(options)
}

/** One append is one transaction: a sealed log that has an entry has them all. */
async function sealLog(inner: PlatformStore, sealed: Store, log: string, options: StoreOptions): Promise<void> {
  throwIfAborted(options.signal)
  const isThere = (await sealed.readLog(log, 0, options)).length > 0
  if (!isThere) {
    const entries = await inner.readLog(log, 0, options)
    await sealed.append(
      log,
      entries.map((entry) => entry.bytes),
      options,
    )
  }
  await inner.dropLog(log, options)
}

function isPlain(name: string): boolean {
  return !name.startsWith(SEALED_PREFIX) && !name.startsWith(VAULT_PREFIX)
}
