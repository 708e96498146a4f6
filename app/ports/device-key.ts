import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { MeshError, messageOf, throwIfAborted, type Random } from '../../mesh/base/index.ts'
import { cryptoKey, SECRET_KEY_BYTES, secretKey, type DeviceKeeper, type SecretKey } from '../../mesh/seal/index.ts'

const STORE = 'keys'
const KEY = 'device'

interface Schema extends DBSchema {
  keys: { key: string; value: CryptoKey | Uint8Array<ArrayBuffer> }
}

/**
 * The key of this browser in a database of its own: made by WebCrypto so that no
 * script, not even ours, can read its bytes. The browser itself keeps them in its
 * profile; who can read that has them, which is what a passphrase is for. A page that
 * came by plain HTTP has no WebCrypto, and keeps the bytes.
 */
export function createBrowserKey(name: string, random: Random): DeviceKeeper {
  return {
    async load(options) {
      throwIfAborted(options?.signal)
      const kept = await use(name, (database) => database.get(STORE, KEY))
      return kept === undefined ? undefined : keyOf(kept)
    },
    async make(options) {
      throwIfAborted(options?.signal)
      const made = await makeKey(random)
      await use(name, async (database) => {
        const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' })
        await Promise.all([transaction.store.put(made, KEY), transaction.done])
      })
      return keyOf(made)
    },
    async forget(options) {
      throwIfAborted(options?.signal)
      await use(name, async (database) => {
        const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' })
        await Promise.all([transaction.store.delete(KEY), transaction.done])
      })
    },
  }
}

function keyOf(kept: CryptoKey | Uint8Array): Promise<SecretKey> {
  return kept instanceof Uint8Array ? secretKey(kept) : Promise.resolve(cryptoKey(kept))
}

async function makeKey(random: Random): Promise<CryptoKey | Uint8Array<ArrayBuffer>> {
  // a page from plain HTTP has no WebCrypto
  const subtle = (crypto as Partial<Crypto>).subtle
  if (subtle === undefined) return random.bytes(SECRET_KEY_BYTES)
  return subtle.generateKey({ name: 'AES-GCM', length: SECRET_KEY_BYTES * 8 }, false, ['encrypt', 'decrypt'])
}

/** Opened for each use: it is used at a start and when the locks change. */
async function use<Value>(name: string, work: (database: IDBPDatabase<Schema>) => Promise<Value>): Promise<Value> {
  try {
    const database = await openDB<Schema>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore(STORE)
      },
    })
    try {
      return await work(database)
    } finally {
      database.close()
    }
  } catch (error) {
    throw new MeshError('storage-failed', `This browser did not keep or give its key: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}
