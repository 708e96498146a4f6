import { abortReason, MeshError, type EventSource } from '../base/index.ts'
import type { Gate, Protocol } from './protocol.ts'

/**
 * The same protocol, served for as long as the caller has the right it came with: whoever
 * is removed, or loses the role, in the middle of a stream is served no further byte of it.
 */
export function whileAllowed(protocol: Protocol, gate: Gate, changes: EventSource<void>): Protocol {
  const { callers } = protocol
  if (callers === 'anyone') return protocol
  return {
    ...protocol,
    async handle(stream, options) {
      const { peer } = stream
      const lost = new AbortController()
      const look = (): void => {
        if (!gate.mayCall(peer, callers)) lost.abort(refusalNow(gate, peer))
      }
      // that it has it now was asked by the registry, in this very moment
      const end = changes.subscribe(look)
      try {
        await protocol.handle(stream, { ...options, signal: AbortSignal.any([options.signal, lost.signal]) })
      } catch (error) {
        // however it ended then: the caller hears why
        throw lost.signal.aborted ? abortReason(lost.signal) : error
      } finally {
        end()
      }
    },
  }
}

function refusalNow(gate: Gate, peer: Parameters<Gate['admitted']>[0]): MeshError {
  return gate.admitted(peer)
    ? new MeshError('unauthorized', 'The role of this device does not allow it any more.')
    : gate.refusal(peer)
}
