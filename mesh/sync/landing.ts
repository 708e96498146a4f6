import type { ReplicaState } from './replica-state.ts'

/** Forgets what was stranded and was fetched again with what was missing before it. */
export function landStranded(state: ReplicaState): void {
  if (state.stranded.length === 0) return
  state.stranded = state.stranded.filter(
    ({ envelope }) => envelope.head.sequence > (state.chains.get(envelope.chain)?.sequence ?? 0),
  )
  if (state.stranded.length === 0) state.damaged = 0
}
