import { expect } from 'vitest'
import '../../helper/shims.ts'

/** Bytes are compared at once: one by one, as any list, took a third of the time of some tests. */
function areEqualBytes(one: unknown, other: unknown): boolean | undefined {
  if (!(one instanceof Uint8Array) || !(other instanceof Uint8Array)) return undefined
  return one.constructor === other.constructor ? Buffer.compare(one, other) === 0 : undefined
}

// which file a process runs: for who looks at processes, and for what ends a file that stands still
process.title = `test ${expect.getState().testPath ?? ''}`

const known = globalThis as { plexusEquality?: true }
// the modules of a worker are loaded once, this file for each test file
if (known.plexusEquality === undefined) {
  expect.addEqualityTesters([areEqualBytes])
  known.plexusEquality = true
}
