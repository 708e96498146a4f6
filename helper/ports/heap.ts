import v8 from 'node:v8'

/** How far the heap may grow between two full collections, beyond what lived at the last one. V8's own is up to 300 %. */
const GROWING_PERCENT = 50

/**
 * Keeps this process small at the cost of collecting more often: it runs beside everything else on somebody's machine,
 * and what strangers send becomes garbage at their pace. Without it a flood that is refused frame by frame leaves a
 * heap four times as large as what is held (130 of 35 MiB, measured under attack), until the process comes to rest.
 * V8 reads the setting anew at each collection.
 */
export function keepHeapSmall(): void {
  v8.setFlagsFromString(`--heap-growing-percent=${String(GROWING_PERCENT)}`)
}
