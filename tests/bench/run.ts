import '../../helper/shims.ts'
import { writeFile } from 'node:fs/promises'
import os from 'node:os'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Benchmark, Figure } from './figures.ts'
import { openRoom } from './open-room.ts'
import { pageUnderAttack } from './page-under-attack.ts'
import { routedAnswer } from './routed-answer.ts'
import { stopLatency } from './stop-latency.ts'
import { underAttack } from './under-attack.ts'

/** Every benchmark, one line each. */
const BENCHMARKS: readonly Benchmark[] = [routedAnswer, stopLatency, openRoom, underAttack, pageUnderAttack]

const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } })
const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const figures: Figure[] = []
for (const benchmark of BENCHMARKS) {
  if (values.only !== undefined && benchmark.name !== values.only) continue
  say(`Measuring: ${benchmark.name}`)
  figures.push(...(await benchmark.run({ say })))
}

for (const { name, value, unit, reference, ratio, difference } of figures) {
  const against =
    reference === undefined
      ? ''
      : `   reference ${String(reference.value)} ${unit}, ratio ${String(ratio)}, difference ${String(difference)} ${unit}`
  process.stdout.write(`${name.padEnd(62)} ${String(value).padStart(10)} ${unit}${against}\n`)
}

if (values.json !== undefined) {
  const machine = {
    platform: process.platform,
    arch: process.arch,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryBytes: os.totalmem(),
    node: process.version,
  }
  await writeFile(
    values.json,
    `${JSON.stringify({ measuredAt: new Date().toISOString(), machine, figures }, null, 2)}\n`,
  )
}
process.exit(0)
