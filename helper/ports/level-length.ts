import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type Logger } from '../../mesh/base/index.ts'
import { crc32c } from './crc32c.ts'

// LevelDB does not know how long its log was: what is missing from its end, or is zeros up to it, looks like
// a write that was cut. So what was acknowledged is noted beside it now and then, without syncing: the note
// may be behind, and is never ahead.

const FILE = 'LENGTH'
/** Writes between two notes: one costs about a tenth of a write. */
const WRITES_PER_NOTE = 32

/** What was acknowledged in one of LevelDB's logs. */
export interface NotedLength {
  readonly name: string
  readonly sizeBytes: number
}

/** Notes how long the newest log of an open database is. */
export interface LengthNote {
  /** After each write that was acknowledged, before the next: notes it now and then. */
  wrote(): Promise<void>
  /** Notes it now. Nothing may be under way. */
  now(): Promise<void>
}

/** See {@link LengthNote}. What cannot be noted is told, and costs nothing else. */
export function createLengthNote(directory: string, log: Logger): LengthNote {
  let writes = 0
  const now = async (): Promise<void> => {
    writes = 0
    try {
      const name = newestLog(await readdir(directory))
      if (name === undefined) return
      const text = `${name} ${String((await stat(join(directory, name))).size)}`
      const file = join(directory, FILE)
      await writeFile(`${file}.new`, `${text} ${sumOf(text)}\n`, { mode: 0o600 })
      await rename(`${file}.new`, file)
    } catch (error) {
      log.info('the length of the stored log could not be noted', { path: directory, reason: messageOf(error) })
    }
  }
  return {
    now,
    async wrote() {
      writes += 1
      if (writes >= WRITES_PER_NOTE) await now()
    },
  }
}

/** What was noted last; undefined where nothing was, or it is not whole. */
export async function readNotedLength(directory: string): Promise<NotedLength | undefined> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => '')
  const [, noted, name = '', size, sum] = /^((\d+\.log) (\d+)) ([0-9a-f]{8})\n$/.exec(text) ?? []
  if (noted === undefined || sum !== sumOf(noted)) return undefined
  return { name, sizeBytes: Number(size) }
}

/** The log that is written to: the one with the highest number. */
export function newestLog(names: readonly string[]): string | undefined {
  return names.filter((name) => /^\d+\.log$/.test(name)).sort((a, b) => parseInt(a, 10) - parseInt(b, 10)).at(-1) // prettier-ignore
}

function sumOf(text: string): string {
  return crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, '0')
}
