import { describe, expect, it, vi } from 'vitest'
import {
  formatBytes,
  formatClock,
  formatCountdown,
  formatDuration,
  formatPercent,
  formatRate,
  formatRecency,
  formatTokenRate,
} from '../../../app/i18n/index.ts'

describe('numbers with units', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [2_507, '2.51 kB'],
    [42_300_000, '42.3 MB'],
    [98_362_432, '98.4 MB'],
    [2_500_000_000, '2.50 GB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it.each([
    [2.4, '2 ms'],
    [612, '0.6 s'],
    [9_900, '9.9 s'],
    [18_000, '18 s'],
    [180_000, '3 min'],
    [2 * 3_600_000, '2 h'],
    [86_400_000 * 4, '4 days'],
  ])('writes %d ms as %s', (duration, text) => {
    expect(formatDuration(duration)).toBe(text)
  })

  it('writes speeds, shares and what is left', () => {
    expect(formatRate(3_100_000)).toBe('3.10 MB/s')
    expect(formatTokenRate(41.3)).toBe('41 tok/s')
    expect(formatTokenRate(3.26)).toBe('3.3 tok/s')
    expect(formatPercent(0.4299)).toBe('43 %')
    expect(formatCountdown(581_000)).toBe('9:41')
    expect(formatCountdown(-5)).toBe('0:00')
  })

  it('says the time today, the weekday this week and the date before', () => {
    const now = new Date(2026, 10, 21, 15, 0).getTime()
    expect(formatRecency(new Date(2026, 10, 21, 9, 5).getTime(), now)).toMatch(/9:05|09:05/)
    expect(formatRecency(new Date(2026, 10, 18, 9, 5).getTime(), now)).toBe('Wed')
    expect(formatRecency(new Date(2026, 9, 2, 9, 5).getTime(), now)).toMatch(/2/)
  })

  it('makes a formatter once, not for each message and each word of an answer', () => {
    const made = vi.spyOn(Intl, 'DateTimeFormat')
    const at = new Date(2026, 10, 21, 9, 5).getTime()
    for (let minute = 0; minute < 100; minute++) formatClock(at + minute * 60_000)
    expect(made.mock.calls.length).toBeLessThanOrEqual(1)
    made.mockRestore()
  })
})
