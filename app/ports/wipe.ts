import { MeshError, messageOf } from '../../mesh/base/index.ts'

/** What {@link wipeBrowser} deletes: everything of this origin whose name begins with `prefix`. */
export interface WipeOptions {
  readonly window: Window
  /** How names of databases and keys of the local storage begin. Others of the same origin are not ours to delete. */
  readonly prefix: string
  /** Lets go of the databases; a database that is open is deleted only once it is closed. */
  readonly close: () => Promise<void>
}

/**
 * Deletes what the page keeps in this browser: databases, preferences, the stored
 * copy of the page with its service worker. Resolves when it is gone and the page is
 * loading anew; the rest is deleted even where one part fails.
 * @throws MeshError `storage-failed` naming the part that failed first.
 */
export async function wipeBrowser({ window, prefix, close }: WipeOptions): Promise<void> {
  await close()
  const outcomes = await Promise.allSettled([
    deleteDatabases(window.indexedDB, prefix),
    deletePreferences(window, prefix),
    deleteCaches(window, prefix),
    endServiceWorker(window),
  ])
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    const sentence = `Not everything could be deleted: ${messageOf(failed.reason)} Close other tabs of this page and try again.`
    throw new MeshError('storage-failed', sentence, { cause: failed.reason })
  }
  window.location.replace(window.location.pathname)
}

async function deleteDatabases(factory: IDBFactory, prefix: string): Promise<void> {
  // old browsers cannot list them: then it is the one with the plain name
  const listed = 'databases' in factory ? await factory.databases() : [{ name: prefix }]
  const names = listed.flatMap(({ name }) => (name?.startsWith(prefix) === true ? [name] : []))
  await Promise.all(names.map((name) => deleteDatabase(factory, name)))
}

function deleteDatabase(factory: IDBFactory, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = factory.deleteDatabase(name)
    // another tab that holds it is asked to let go and does; until then this waits
    request.addEventListener('success', () => {
      resolve()
    })
    request.addEventListener('error', () => {
      reject(request.error ?? new MeshError('storage-failed', `The database ${name} stays.`))
    })
  })
}

function deletePreferences(window: Window, prefix: string): Promise<void> {
  return Promise.resolve().then(() => {
    for (const key of Object.keys(window.localStorage)) {
      if (key.startsWith(prefix)) window.localStorage.removeItem(key)
    }
  })
}

/** The stored copies of the page: the service worker names them after its scope. */
async function deleteCaches(window: Window, prefix: string): Promise<void> {
  if (!('caches' in window)) return
  const scope = new URL('.', window.location.href).href
  const names = await window.caches.keys()
  await Promise.all(
    names.filter((name) => name.startsWith(prefix) || name.endsWith(scope)).map((name) => window.caches.delete(name)),
  )
}

async function endServiceWorker(window: Window): Promise<void> {
  if (!('serviceWorker' in window.navigator)) return
  const registration = await window.navigator.serviceWorker.getRegistration()
  await registration?.unregister()
}
