import { open } from 'node:fs/promises'
import { MeshError, messageOf, PASSPHRASE_MAX_LENGTH } from '../../mesh/base/index.ts'

/** How often a person at a terminal may mistype before the start ends. */
const TYPED_TRIES = 3
/** Room for the longest passphrase in UTF-8, and a line break. */
const FILE_MAX_BYTES = PASSPHRASE_MAX_LENGTH * 4 + 2

/** Where the passphrase of the data comes from, for all starts of one process. */
export interface Passphrases {
  /**
   * The passphrase for this try, the first is 0: the remembered one, or the file's, then
   * what a person types. Undefined: there is nobody left to ask.
   * @throws MeshError `config-invalid` when the file cannot be read
   */
  next(attempt: number, options: { readonly signal: AbortSignal }): Promise<string | undefined>
  /** The one that opens it now, so that a start in place needs nobody; undefined: none is needed any more. */
  remember(passphrase: string | undefined): void
  /** The one last remembered. */
  remembered(): string | undefined
}

/** How passphrases are had. */
export interface PassphrasesOptions {
  readonly file: string | undefined
  /** Asks the person at the terminal; undefined: there is none. */
  readonly ask: ((question: string, options: { signal: AbortSignal }) => Promise<string | undefined>) | undefined
}

/** The passphrases of a helper's process. */
export function createPassphrases({ file, ask }: PassphrasesOptions): Passphrases {
  let remembered: string | undefined
  return {
    async next(attempt, { signal }) {
      if (attempt === 0 && remembered !== undefined) return remembered
      if (file !== undefined) return attempt === 0 ? readPassphrase(file) : undefined
      if (ask === undefined || attempt >= TYPED_TRIES) return undefined
      const question = attempt === 0 ? 'Passphrase: ' : 'That was not it. Passphrase: '
      return ask(question, { signal })
    },
    remember(passphrase) {
      remembered = passphrase
    },
    remembered: () => remembered,
  }
}

/**
 * The passphrase in a file: its text without the line break at its end.
 * @throws MeshError `config-invalid`
 */
export async function readPassphrase(file: string): Promise<string> {
  const text = await readStart(file)
  if (text.byteLength > FILE_MAX_BYTES) throw unreadable(file, 'it is too long')
  const passphrase = text.toString('utf8').replace(/\r?\n$/, '')
  if (passphrase === '') throw unreadable(file, 'it is empty')
  return passphrase
}

async function readStart(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'r')
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(FILE_MAX_BYTES + 1), 0, FILE_MAX_BYTES + 1, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw unreadable(file, messageOf(error), error)
  }
}

function unreadable(file: string, reason: string, cause?: unknown): MeshError {
  return new MeshError('config-invalid', `The passphrase cannot be read from ${file}: ${reason}.`, {
    cause,
    detail: { path: file },
  })
}
