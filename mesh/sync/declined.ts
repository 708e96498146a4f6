import { SYNC_DECLINED_MAX } from '../base/index.ts'
import type { Envelope } from './envelope.ts'
import type { LateComings } from './late.ts'
import { isEndTold } from './may-come.ts'
import type { ReplicaState } from './replica-state.ts'

/** A chain of which no more was taken, for its author may not write any more and nobody told its end. */
type Declined = Pick<Envelope, 'chain' | 'head'>

/** What was not taken of a document, so that nobody is asked for it again and again. In memory, and bounded. */
export interface DeclinedChains {
  note(envelope: Envelope): void
  /** Something of a chain was taken. */
  forget(chain: number): void
  /** Chains of which the next envelope would not be taken now either. */
  stillDeclined(state: DeclinedIn): number[]
  /** True when one of them would be taken now. */
  hasTakeable(state: DeclinedIn): boolean
}

type DeclinedIn = Pick<ReplicaState, 'name' | 'chains' | 'ports'> & { readonly late: LateComings }

/** Nothing was declined yet. */
export function createDeclinedChains(): DeclinedChains {
  const byChain = new Map<number, Declined>()

  const isStill = ({ chain, head }: Declined, state: DeclinedIn): boolean =>
    !state.ports.writers.mayWrite(head.author, state.name.scope) &&
    !isEndTold({ chain, sequence: head.sequence }, state) &&
    !state.late.mayBeOpenTo(head.author)

  return {
    note({ chain, head }) {
      const known = byChain.get(chain)
      if (known !== undefined && known.head.sequence <= head.sequence) return
      byChain.delete(chain)
      byChain.set(chain, { chain, head })
      const [oldest] = byChain.keys()
      if (byChain.size > SYNC_DECLINED_MAX && oldest !== undefined) byChain.delete(oldest)
    },
    forget(chain) {
      byChain.delete(chain)
    },
    stillDeclined: (state) => [...byChain.values()].filter((one) => isStill(one, state)).map(({ chain }) => chain),
    hasTakeable: (state) => [...byChain.values()].some((one) => !isStill(one, state)),
  }
}
