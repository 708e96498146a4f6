import type { WriteStream } from 'node:tty'

/** Where text goes: standard output or standard error, or a test's own. */
export interface Output {
  write(text: string): void
  /** True when a person looks at it. */
  readonly isTerminal: boolean
  readonly columns: number
}

/** A stream of this process as an {@link Output}. A reader that left is no failure of ours. */
export function streamOutput(stream: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // the other end of a pipe (`| head`) closed: there is nobody left to tell
    if (error.code !== 'EPIPE') throw error
  })
  return {
    write: (text) => {
      stream.write(text)
    },
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80
    },
  }
}
