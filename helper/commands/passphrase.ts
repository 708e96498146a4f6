import { MeshError } from '../../mesh/base/index.ts'
import { readPassphrase } from '../lock/index.ts'
import type { CommandContext, CommandInput, OptionSpec } from './command.ts'

/** The option of every command that needs a passphrase. */
export const PASSPHRASE_FILE: OptionSpec = {
  usage: '--passphrase-file <file>',
  doc: 'read the passphrase from a file instead of asking for it',
}

/**
 * A passphrase that something will be locked with: from the file named, else typed twice.
 * @throws MeshError `usage` without a terminal or when the two differ, `config-invalid`, `aborted`
 */
export async function newPassphrase(input: CommandInput, context: CommandContext): Promise<string> {
  const fromFile = await passphraseInFile(input)
  if (fromFile !== undefined) return fromFile
  const passphrase = await typed('New passphrase: ', context)
  const again = await typed('Once more: ', context)
  if (passphrase !== again) throw new MeshError('usage', 'The two are not the same. Nothing was changed.')
  return passphrase
}

/**
 * A passphrase that something was locked with: from the file named, else typed.
 * @throws MeshError `usage` without a terminal, `config-invalid`, `aborted`
 */
export async function knownPassphrase(input: CommandInput, context: CommandContext): Promise<string> {
  return (await passphraseInFile(input)) ?? (await typed('Passphrase: ', context))
}

async function passphraseInFile(input: CommandInput): Promise<string | undefined> {
  const file = input.options['passphraseFile']
  return typeof file === 'string' ? readPassphrase(file) : undefined
}

async function typed(question: string, { askSecret, signal }: CommandContext): Promise<string> {
  if (askSecret === undefined) {
    throw new MeshError('usage', 'There is no terminal to type a passphrase at. Name a file with --passphrase-file.')
  }
  const passphrase = await askSecret(question, { signal })
  if (passphrase === undefined) throw new MeshError('aborted', 'Stopped.')
  return passphrase
}
