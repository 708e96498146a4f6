import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as z from 'zod'
import type { Logger } from '../../mesh/base/index.ts'
import { diskError, systemCode } from './disk.ts'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

const Speed = z.strictObject({
  prefillTokensPerSecond: z.number().min(0),
  decodeTokensPerSecond: z.number().min(0),
  measuredAt: z.number(),
})

const Kept = z.strictObject({
  id: z.string().min(1).max(128),
  sha256: Sha256,
  sizeBytes: z.int().min(1),
  contextTokens: z.int().min(1),
  addedAt: z.number(),
  /** When a person last chose it; 0: never. The latest comes first. */
  chosenAt: z.number(),
  /** Where it came from, for people. */
  source: z.string().max(200),
  /** True once the whole file was hashed here. */
  verified: z.boolean(),
  speed: Speed.optional(),
})

/** What was learned of a file outside the library; valid while size and time of change are the same. */
const KnownFile = z.strictObject({
  path: z.string().max(4_096),
  sizeBytes: z.int().min(0),
  changedAt: z.number(),
  sha256: Sha256,
})

const Records = z.strictObject({
  version: z.literal(1),
  models: z.array(Kept).max(1_000),
  files: z.array(KnownFile).max(1_000),
})

/** A model that is kept in the library. */
export type KeptModel = z.infer<typeof Kept>
/** Everything the library writes down. */
export type LibraryRecords = z.infer<typeof Records>

/**
 * The library's records. Damaged ones are set aside under another name, so that
 * nothing is lost, and the models are found again by their files.
 */
export async function readRecords(file: string, log: Logger): Promise<LibraryRecords> {
  const empty: LibraryRecords = { version: 1, models: [], files: [] }
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return empty
    throw diskError(error, dirname(file))
  }
  const parsed = Records.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  log.warn('the list of models is damaged; it is set aside and made anew', { file: `${file}.damaged` })
  await rename(file, `${file}.damaged`)
  return empty
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON at all: the schema refuses it, and the caller logs that.
    return undefined
  }
}

/** Replaces the records as a whole or not at all. @throws MeshError `storage-full`, `storage-failed`. */
export async function writeRecords(file: string, records: LibraryRecords): Promise<void> {
  try {
    const handle = await open(`${file}.new`, 'w', 0o600)
    try {
      await handle.writeFile(JSON.stringify(records, null, 2))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(`${file}.new`, file)
  } catch (error) {
    throw diskError(error, dirname(file))
  }
}
