import * as z from 'zod'
import * as mini from 'zod/mini'
import { isMeshError, PASSPHRASE_MAX_LENGTH } from '../../../mesh/base/index.ts'
import type { ImportResult } from '../../../mesh/archive-types.ts'
import type { ArchiveRecord } from '../../../mesh/seal/index.ts'
import { decode, encode, text } from '../../../mesh/wire/index.ts'
import { systemRandom } from '../../ports/random.ts'
import { readArchive, writeArchive } from '../archive-file.ts'
import { operation, type LocalModels } from '../operation.ts'

/** An archive that was written. */
export interface Exported {
  readonly file: string
  readonly sizeBytes: number
}

const PATH_MAX_LENGTH = 4_096
const input = z.object({
  file: z.string().min(1).max(PATH_MAX_LENGTH),
  passphrase: z.string().min(1).max(PASSPHRASE_MAX_LENGTH),
})
type Input = z.output<typeof input>

/** What a helper has beside rooms and chats: which model answers. */
const MODELS_KIND = 'helper/models'
const MODELS_MAX_BYTES = 4_096
const modelChoice = mini.object({ used: text(512) })

/** Writes everything of this person into a file. */
export const exportArchive = operation<Input, never, Exported>({
  name: 'export',
  input,
  async run({ file, passphrase }, { host, signal }) {
    const pieces = host.mesh.exportAll({ lock: { kind: 'passphrase', passphrase }, more: choices(host.models), signal })
    return { file, sizeBytes: await writeArchive(file, pieces, { random: systemRandom, signal }) }
  },
})

/** Brings a file that was exported into this mesh. */
export const importArchive = operation<Input, never, ImportResult>({
  name: 'import',
  input,
  async run({ file, passphrase }, { host, signal }) {
    let used: string | undefined
    const result = await host.mesh.importAll(readArchive(file, { signal }), {
      key: { kind: 'passphrase', passphrase },
      signal,
      onRecord(record) {
        if (record.kind === MODELS_KIND) used = usedModel(record)
      },
    })
    await choose(host.models, used, signal)
    return result
  },
})

function choices(models: LocalModels): ArchiveRecord[] {
  const [first] = models.list()
  return first === undefined ? [] : [{ kind: MODELS_KIND, body: encode({ used: first.id }) }]
}

function usedModel({ body }: ArchiveRecord): string | undefined {
  try {
    return decode(body, modelChoice, { maxBytes: MODELS_MAX_BYTES, what: 'The choice of a model' }).used
  } catch (error) {
    // a choice that cannot be read is none; rooms and chats are here
    if (isMeshError(error)) return undefined
    throw error
  }
}

/** The same model answers as before, where this device has it. Nothing is fetched for it. */
async function choose(models: LocalModels, used: string | undefined, signal: AbortSignal): Promise<void> {
  const all = models.list()
  if (used !== undefined && all[0]?.id !== used && all.some(({ id }) => id === used)) await models.use(used, { signal })
}
