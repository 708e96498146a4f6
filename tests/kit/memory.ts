import { Socket } from 'node:net'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes this process holds on to: what nobody refers to any more is not counted. */
export function heldBytes(): number {
  collect()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

/**
 * Bytes that wait in this process's sockets to be sent. Where an attacker lives in the same
 * process as its victim, what the victim does not take from it waits here, at its own cost.
 */
export function unsentBytes(): number {
  const { _getActiveHandles: handles } = process as unknown as { readonly _getActiveHandles: () => readonly object[] }
  return handles.call(process).reduce((sum, one) => sum + (one instanceof Socket ? one.writableLength : 0), 0)
}
