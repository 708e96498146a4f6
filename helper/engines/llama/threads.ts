import { availableParallelism, cpus } from 'node:os'

/**
 * Threads for an engine where nobody said otherwise: the physical cores less one,
 * at least one. Waiting threads of the engine spin, so more threads than free
 * cores are far slower than too few. Where cores cannot be told from hardware
 * threads, half of what the system offers is taken.
 */
export function defaultThreads(): number {
  const usable = availableParallelism()
  const isPaired = usable > 2 && cpus().length === usable && process.arch === 'x64'
  return Math.max(1, (isPaired ? Math.ceil(usable / 2) : usable) - 1)
}
