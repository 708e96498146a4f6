import { MeshError } from '../../mesh/base/index.ts'

/**
 * All that is piped in, as text.
 * @throws MeshError `usage` when it is longer than what it is read for, `aborted`
 */
export async function readInput(
  input: AsyncIterable<Uint8Array | string>,
  maxLength: number,
  options: { readonly signal: AbortSignal },
): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const piece of input) {
    options.signal.throwIfAborted()
    text += typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true })
    if (text.length > maxLength)
      throw new MeshError('usage', `The input is longer than ${String(maxLength)} characters.`)
  }
  return text + decoder.decode()
}
