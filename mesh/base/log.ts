/** Fields of a log line. Never a secret, a token, an invitation or the text of a message. */
export type LogFields = Readonly<Record<string, unknown>>

/** Port: where log lines go. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger whose lines name the part of the program they come from. */
  child(scope: string): Logger
}

/** Drops everything: the default of tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}
