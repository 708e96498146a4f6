import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MeshError, silentLogger } from '../../mesh/base/index.ts'
import { createModelLibrary, FIRST_MODEL } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemCode } from '../../helper/models/index.ts'
import { until } from './wait.ts'

const FETCH_TIMEOUT_MS = 170_000

/** Where tests keep the model between runs: `PLEXUS_TEST_MODEL_DIR`, else a cache inside the clone. */
export function firstModelCache(): string {
  return (
    process.env['PLEXUS_TEST_MODEL_DIR'] ??
    fileURLToPath(new URL('../../node_modules/.cache/plexus-test-model', import.meta.url))
  )
}

/**
 * The path of the real first model, hash checked, fetched through the product's
 * own sources if it is not in the cache yet. Test processes that need it at the
 * same time wait for one of them.
 * @throws MeshError as `ModelLibrary.ensureFirst`.
 */
export async function firstModelFile(): Promise<string> {
  const dataDir = firstModelCache()
  await mkdir(dataDir, { recursive: true })
  const unlock = await lock(join(dataDir, 'fetch.lock'))
  try {
    const library = await createModelLibrary({ dataDir, clock: systemClock, log: silentLogger, offline: false })
    try {
      const { id } = await library.get(FIRST_MODEL, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
      return (await library.open(id)).file
    } finally {
      await library.close()
    }
  } finally {
    await unlock()
  }
}

async function lock(file: string): Promise<() => Promise<void>> {
  const handle = await until(
    async () => {
      try {
        return await open(file, 'wx')
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error
        if (await isLeftBehind(file)) await rm(file, { force: true })
        return undefined
      }
    },
    { what: 'another test process to fetch the model', timeoutMs: FETCH_TIMEOUT_MS },
  )
  await handle.writeFile(String(process.pid))
  await handle.close()
  return () => rm(file, { force: true })
}

async function isLeftBehind(file: string): Promise<boolean> {
  const pid = Number(await readFile(file, 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return true
    throw new MeshError('storage-failed', `The lock ${file} cannot be judged.`, { cause: error })
  }
}
