import { locale, t } from './translate.ts'

// A formatter weighs some 30 KB outside of the heap that the collector watches: one made anew
// for each message and each word of an answer was 600 MB of garbage in a chat of fifty.
const numbers = new Map<string, Intl.NumberFormat>()
const times = new Map<string, Intl.DateTimeFormat>()

function number(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options)
  let format = numbers.get(key)
  if (format === undefined) {
    format = new Intl.NumberFormat(locale, options)
    numbers.set(key, format)
  }
  return format
}

/** A formatter reads the zone once: a device that travels gets others. */
function time(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${String(new Date().getTimezoneOffset())} ${JSON.stringify(options)}`
  let format = times.get(key)
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale, options)
    times.set(key, format)
  }
  return format
}

const digits = (value: number, fractionDigits: number): string =>
  number({ minimumFractionDigits: fractionDigits, maximumFractionDigits: fractionDigits }).format(value)

/** A plain count. */
export function formatNumber(value: number): string {
  return number({ maximumFractionDigits: 0 }).format(value)
}

/** A share of 1, in whole percent. */
export function formatPercent(fraction: number): string {
  return t('unit.percent', { value: formatNumber(Math.round(fraction * 100)) })
}

const SIZES = [
  { limit: 1e3, divisor: 1, key: 'unit.bytes' },
  { limit: 1e6, divisor: 1e3, key: 'unit.kilobytes' },
  { limit: 1e9, divisor: 1e6, key: 'unit.megabytes' },
  { limit: Infinity, divisor: 1e9, key: 'unit.gigabytes' },
] as const

/** A size with its unit, three figures: `98.4 MB`. */
export function formatBytes(bytes: number): string {
  const size = SIZES.find((entry) => bytes < entry.limit) ?? SIZES[3]
  const value = bytes / size.divisor
  const fractionDigits = size.divisor === 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2
  return t(size.key, { value: digits(value, fractionDigits) })
}

/** Bytes a second, with unit. */
export function formatRate(bytesPerSecond: number): string {
  return t('unit.perSecond', { value: formatBytes(bytesPerSecond) })
}

/** Tokens a second. */
export function formatTokenRate(tokensPerSecond: number): string {
  return t('unit.tokensPerSecond', { value: digits(tokensPerSecond, tokensPerSecond < 10 ? 1 : 0) })
}

/** A span in the unit in which a person would say it: `2 ms`, `0.6 s`, `18 s`, `3 min`, `2 h`, `4 days`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 100) return t('unit.milliseconds', { value: formatNumber(Math.round(durationMs)) })
  if (durationMs < 9_950) return t('unit.seconds', { value: digits(durationMs / 1000, 1) })
  if (durationMs < 90_000) return t('unit.seconds', { value: formatNumber(Math.round(durationMs / 1000)) })
  if (durationMs < 90 * 60_000) return t('unit.minutes', { value: formatNumber(Math.round(durationMs / 60_000)) })
  if (durationMs < 36 * 3_600_000) return t('unit.hours', { value: formatNumber(Math.round(durationMs / 3_600_000)) })
  return t('unit.days', { count: Math.round(durationMs / 86_400_000) })
}

/** What is left of a span: `9:41`. */
export function formatCountdown(leftMs: number): string {
  const seconds = Math.max(0, Math.ceil(leftMs / 1000))
  return `${String(Math.floor(seconds / 60))}:${String(seconds % 60).padStart(2, '0')}`
}

/** The time of day. */
export function formatClock(at: number): string {
  return time({ hour: '2-digit', minute: '2-digit' }).format(at)
}

/** A day. */
export function formatDate(at: number): string {
  return time({ day: 'numeric', month: 'short', year: 'numeric' }).format(at)
}

/** A day as one speaks of it, for the line above its messages. */
export function formatDay(at: number): string {
  return time({ weekday: 'long', day: 'numeric', month: 'long' }).format(at)
}

/** A day and the time of it. */
export function formatDateTime(at: number): string {
  return time({ dateStyle: 'medium', timeStyle: 'short' }).format(at)
}

/** As short as it can be said now: the time today, the weekday within a week, else the date. */
export function formatRecency(at: number, now: number): string {
  const startOfDay = new Date(now).setHours(0, 0, 0, 0)
  if (at >= startOfDay) return formatClock(at)
  if (at >= startOfDay - 6 * 86_400_000) return time({ weekday: 'short' }).format(at)
  return time({ day: 'numeric', month: 'short' }).format(at)
}
