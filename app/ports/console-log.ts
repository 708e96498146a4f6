import type { LogFields, Logger } from '../../mesh/base/index.ts'

/**
 * Lines in the browser's console. Failures that Plexus handles and tells in words are
 * warnings at most: a console error means that something is wrong with the page.
 */
export function createConsoleLog(scope = 'plexus'): Logger {
  const line =
    (write: (text: string, fields?: LogFields) => void) =>
    (message: string, fields?: LogFields): void => {
      if (fields === undefined) write(`${scope}: ${message}`)
      else write(`${scope}: ${message}`, fields)
    }
  return {
    debug: line((...given) => {
      console.debug(...given)
    }),
    info: line((...given) => {
      console.debug(...given)
    }),
    warn: line((...given) => {
      console.warn(...given)
    }),
    error: line((...given) => {
      console.error(...given)
    }),
    child: (name) => createConsoleLog(`${scope}/${name}`),
  }
}
