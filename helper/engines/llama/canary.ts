import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { MeshError } from '../../../mesh/base/index.ts'
import { diskError, systemCode } from '../../models/index.ts'

/** A load that left its canary behind this often without a crash seen took the whole machine down. */
const UNEXPLAINED_LIMIT = 2

const Canary = z.strictObject({ chosenAt: z.number(), attempts: z.int().min(1), crashed: z.boolean() })
type Canary = z.infer<typeof Canary>

/** Remembers loads that did not end well, beyond the life of this process. */
export interface Canaries {
  /**
   * Notes that a load begins.
   * @throws MeshError `engine-load` when the last load of this model ended the engine and nobody chose it again since.
   */
  begin(key: string, chosenAt: number): Promise<void>
  /** The load ended in order, well or not. */
  clear(key: string): Promise<void>
  /** The load ended the engine. */
  crashed(key: string, chosenAt: number): Promise<void>
}

/** Canaries in `<dataDir>/engine`; keys are hashes made here. */
export function createCanaries(dataDir: string): Canaries {
  const folder = join(dataDir, 'engine')
  const place = (key: string): string => {
    if (!/^[0-9a-f]{64}$/.test(key)) throw new MeshError('bug', 'A canary is named by a hash.')
    return join(folder, `${key}.json`)
  }
  const write = async (key: string, canary: Canary): Promise<void> => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(`${place(key)}.new`, JSON.stringify(canary), { mode: 0o600 })
      await rename(`${place(key)}.new`, place(key))
    } catch (error) {
      throw diskError(error, folder)
    }
  }

  return {
    async begin(key, chosenAt) {
      const before = await read(place(key))
      const isForgiven = before !== undefined && chosenAt > before.chosenAt
      if (before !== undefined && !isForgiven && (before.crashed || before.attempts >= UNEXPLAINED_LIMIT)) {
        throw new MeshError(
          'engine-load',
          'Loading this model ended the engine the last time, so it is not tried again by itself. Choose the model again to try once more.',
        )
      }
      const attempts = before === undefined || isForgiven ? 1 : before.attempts + 1
      await write(key, { chosenAt, attempts, crashed: false })
    },
    clear: (key) => rm(place(key), { force: true }),
    crashed: (key, chosenAt) => write(key, { chosenAt, attempts: 1, crashed: true }),
  }
}

async function read(file: string): Promise<Canary | undefined> {
  try {
    return Canary.safeParse(JSON.parse(await readFile(file, 'utf8'))).data
  } catch (error) {
    // None, or one cut off in the writing: as good as none.
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw diskError(error, file)
  }
}
