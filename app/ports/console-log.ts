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
    // eslint-disable-next-line no-console -- the one place of the page that writes to the console
    debug: line((...given) => {
      console.debug(...given)
    }),
    // eslint-disable-next-line no-console -- see above; `debug`, because a calm page has a calm console
    info: line((...given) => {
      console.debug(...given)
    }),
    // eslint-disable-next-line no-console -- see above
    warn: line((...given) => {
      console.warn(...given)
    }),
    // eslint-disable-next-line no-console -- see above
    error: line((...given) => {
      console.error(...given)
    }),
    child: (name) => createConsoleLog(`${scope}/${name}`),
  }
}
