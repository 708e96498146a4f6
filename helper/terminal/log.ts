import { pino } from 'pino'
import { messageOf, type LogFields, type Logger } from '../../mesh/base/index.ts'
import { printable } from './format.ts'
import type { Output } from './output.ts'

/** Names of fields that are never written, whoever logs them. */
const SECRET_FIELDS =
  /(?:token|credential|authorization|secret|invitation|fragment|password|privatekey|seed)$|^(?:text|content|prompt|messages|answer|link|url)$/i
/** The fragment of a link carries its secret. */
const LINK_SECRET = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s#"']*)#[^\s"']+/gi
const HIDDEN = '[hidden]'
const DEPTH_MAX = 4

const COLOURS: Readonly<Record<string, string>> = {
  debug: '\u001b[2m',
  info: '',
  warn: '\u001b[33m',
  error: '\u001b[31m',
}

/**
 * A logger that writes to `output`: JSON lines, or short lines for a person at a
 * terminal. Tokens, invitations, links' secrets and message text never pass it.
 */
export function createLogger(options: {
  level: 'silent' | 'error' | 'warn' | 'info' | 'debug'
  output: Output
}): Logger {
  const { level, output } = options
  const root = pino(
    {
      level,
      base: null,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => clean(fields, 0) as Record<string, unknown>,
      },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    {
      write: (line: string) => {
        output.write(output.isTerminal ? prettyLine(line) : line)
      },
    },
  )
  return wrap(root)
}

type PinoLike = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error' | 'child'>

function wrap(root: PinoLike, scope = ''): Logger {
  const logger = scope === '' ? root : root.child({ scope })
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void => {
      logger[level](fields, withoutLinks(message))
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (name) => wrap(root, scope === '' ? name : `${scope}/${name}`),
  }
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutLinks(value)
  if (value instanceof Error) return withoutLinks(messageOf(value))
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? value.toString() : value
  if (depth >= DEPTH_MAX) return '…'
  if (ArrayBuffer.isView(value)) return `${String(value.byteLength)} bytes`
  if (Array.isArray(value)) return value.slice(0, 50).map((entry) => clean(entry, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, SECRET_FIELDS.test(key) ? HIDDEN : clean(entry, depth + 1)]),
  )
}

function withoutLinks(text: string): string {
  return text.replace(LINK_SECRET, '$1#…')
}

function prettyLine(line: string): string {
  const { level, time, scope, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const clock = typeof time === 'string' ? new Date(time).toLocaleTimeString() : ''
  const where = typeof scope === 'string' ? `${scope}: ` : ''
  const name = typeof level === 'string' ? level : 'info'
  const shown = printable(`${clock} ${name === 'info' ? '' : `${name} `}${where}${String(msg)}${rest.join('')}`)
  return `${COLOURS[name] ?? ''}${shown}\u001b[0m\n`
}
