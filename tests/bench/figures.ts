import { percentile, type Measured } from './measure.ts'

/** One figure of a benchmark: never without unit, and with what it is compared to in the same run. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 'MiB' | 'tokens/s' | 'tokens'
  readonly reference?: { readonly name: string; readonly value: number }
  /** `value` over the reference. */
  readonly ratio?: number
  /** `value` less the reference, in `unit`. */
  readonly difference?: number
  readonly samples: number
}

/** One benchmark: one registry line in `run.ts`. */
export interface Benchmark {
  readonly name: string
  run(options: { readonly say: (line: string) => void }): Promise<readonly Figure[]>
}

const round = (value: number): number => Math.round(value * 1000) / 1000

/** A figure against its reference of the same run. */
export function compare(
  name: string,
  value: number,
  unit: Figure['unit'],
  reference: { readonly name: string; readonly value: number },
  samples: number,
): Figure {
  return {
    name,
    value: round(value),
    unit,
    reference: { name: reference.name, value: round(reference.value) },
    ratio: round(value / reference.value),
    difference: round(value - reference.value),
    samples,
  }
}

/** The figures of one way to an answer, each against the same figure of the reference. */
export function answerFigures(
  name: string,
  samples: readonly Measured[],
  reference?: { readonly name: string; readonly samples: readonly Measured[] },
): Figure[] {
  const figure = (label: string, unit: Figure['unit'], of: (samples: readonly Measured[]) => number): Figure => {
    const value = of(samples)
    if (reference === undefined)
      return { name: `${name}: ${label}`, value: round(value), unit, samples: samples.length }
    const base = { name: `${reference.name}: ${label}`, value: of(reference.samples) }
    return compare(`${name}: ${label}`, value, unit, base, samples.length)
  }
  const firstTexts = (all: readonly Measured[]): number[] => all.map((one) => one.firstTextMs)
  const speeds = (all: readonly Measured[]): number[] => all.map((one) => one.decodeTokensPerSecond)
  return [
    figure('time to first token p50', 'ms', (all) => percentile(firstTexts(all), 0.5)),
    figure('time to first token p95', 'ms', (all) => percentile(firstTexts(all), 0.95)),
    figure('decode p50', 'tokens/s', (all) => percentile(speeds(all), 0.5)),
  ]
}
