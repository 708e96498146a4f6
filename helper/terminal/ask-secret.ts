import { abortReason, throwIfAborted } from '../../mesh/base/index.ts'

const ENTER = new Set(['\r', '\n'])
const INTERRUPT = '\u0003'
const END = '\u0004'
const RUBOUT = new Set(['\u007f', '\b'])

/** A terminal that a secret can be typed at. */
export interface SecretTerminal {
  readonly input: Pick<NodeJS.ReadStream, 'on' | 'off' | 'setRawMode' | 'setEncoding' | 'resume' | 'pause'>
  readonly output: Pick<NodeJS.WritableStream, 'write'>
}

/** The terminal of this process, or undefined where nobody sits at one. */
export function terminalOf(input: NodeJS.ReadStream, output: NodeJS.WriteStream): SecretTerminal | undefined {
  return input.isTTY && output.isTTY ? { input, output } : undefined
}

/**
 * Asks for a secret; nothing of what is typed is shown. Undefined when the person
 * leaves with Ctrl-C or Ctrl-D.
 * @throws MeshError `aborted`
 */
export function askSecret(
  terminal: SecretTerminal,
  question: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<string | undefined> {
  const { input, output } = terminal
  const { signal } = options
  throwIfAborted(signal)
  return new Promise((resolve, reject) => {
    let typed: string[] = []
    const end = (settle: () => void): void => {
      input.off('data', onData)
      signal?.removeEventListener('abort', onAbort)
      input.setRawMode(false)
      input.pause()
      output.write('\n')
      settle()
    }
    const onAbort = (): void => {
      end(() => {
        reject(abortReason(signal))
      })
    }
    const onData = (text: string): void => {
      for (const character of text) {
        const isEnter = ENTER.has(character)
        if (isEnter || character === INTERRUPT || character === END) {
          end(() => resolve(isEnter ? typed.join('') : undefined))
          return
        }
        if (RUBOUT.has(character)) typed = typed.slice(0, -1)
        else typed.push(character)
      }
    }
    output.write(question)
    input.setEncoding('utf8')
    input.setRawMode(true)
    input.on('data', onData)
    input.resume()
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
