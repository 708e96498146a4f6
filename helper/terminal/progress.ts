import type { Clock } from '../../mesh/base/index.ts'
import { formatBytes, formatDuration } from './format.ts'
import type { Output } from './output.ts'

const BAR_CELLS = 24
const REDRAW_MS = 120
const PLAIN_STEP_FRACTION = 0.1

/** How far something measured in bytes is. */
export interface Progress {
  readonly receivedBytes: number
  readonly totalBytes: number
  /** Absent: measured from the updates. */
  readonly rateBytesPerSecond?: number | undefined
}

/** Shows long work: a bar that redraws itself on a terminal, else a line each ten percent. */
export interface ProgressLine {
  update(progress: Progress): void
  /** Ends the line. Call it also when the work failed. */
  end(): void
}

/** A progress line named `label` on `output`. */
export function createProgressLine(output: Output, clock: Clock, label: string): ProgressLine {
  const startedAt = clock.monotonic()
  let first: number | undefined
  let lastDrawn = -Infinity
  let lastStep = -1
  let drawn = false

  const measuredRate = (progress: Progress): number => {
    const elapsedMs = clock.monotonic() - startedAt
    return elapsedMs <= 0 ? 0 : ((progress.receivedBytes - (first ?? 0)) / elapsedMs) * 1000
  }

  const sentence = (progress: Progress): string => {
    const rate = progress.rateBytesPerSecond ?? measuredRate(progress)
    const done = `${formatBytes(progress.receivedBytes)} of ${formatBytes(progress.totalBytes)}`
    const left =
      rate > 0 ? `, ${formatDuration(((progress.totalBytes - progress.receivedBytes) / rate) * 1000)} left` : ''
    return `${done}, ${formatBytes(rate)}/s${left}`
  }

  return {
    update(progress) {
      first ??= progress.receivedBytes
      if (progress.totalBytes <= 0) return
      const fraction = Math.min(1, progress.receivedBytes / progress.totalBytes)
      if (output.isTerminal) {
        const now = clock.monotonic()
        if (now - lastDrawn < REDRAW_MS && fraction < 1) return
        lastDrawn = now
        drawn = true
        const cells = Math.round(fraction * BAR_CELLS)
        const bar = `${'█'.repeat(cells)}${'░'.repeat(BAR_CELLS - cells)}`
        const line = `${label} ${bar} ${String(Math.floor(fraction * 100)).padStart(3)} %  ${sentence(progress)}`
        output.write(`\r\u001b[2K${line.slice(0, Math.max(20, output.columns - 1))}`)
        return
      }
      const step = Math.floor(fraction / PLAIN_STEP_FRACTION)
      if (step <= lastStep) return
      lastStep = step
      output.write(`${label}: ${String(Math.floor(fraction * 100))} %, ${sentence(progress)}\n`)
    },
    end() {
      if (drawn) output.write('\n')
      drawn = false
    },
  }
}
