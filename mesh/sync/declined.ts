import { SYNC_DECLINED_MAX, type DeviceId } from '../base/index.ts'
import type { Envelope } from './envelope.ts'
import { bringerOf, type LateComings } from './late.ts'
import { isEndTold, type Judged } from './may-come.ts'

/** A chain of which no more was taken, for its author may not write any more and nobody told its end. */
type Declined = Pick<Envelope, 'chain' | 'head'>

/** What was not taken of a document from whom, so that nobody is asked for it again and again. In memory, and bounded. */
export interface DeclinedChains {
  note(envelope: Envelope, by: string): void
  /** Something of a chain was taken. */
  forget(chain: number): void
  /** Chains of which the next envelope would not be taken from there now either. */
  stillDeclined(via: DeviceId, state: DeclinedIn): number[]
  /** True when one of them would be taken from there now. */
  hasTakeable(via: DeviceId, state: DeclinedIn): boolean
}

type DeclinedIn = Judged & { readonly late: LateComings }

/** Nothing was declined yet. */
export function createDeclinedChains(): DeclinedChains {
  const byChain = new Map<number, Map<string, Declined>>()

  const isStill = ({ chain, head }: Declined, via: DeviceId, state: DeclinedIn): boolean =>
    !state.ports.writers.mayWrite(head.author, state.name.scope) &&
    !isEndTold({ chain, sequence: head.sequence }, state) &&
    !state.late.mayBeOpenTo(head.author, via)

  const declinedOf = (via: DeviceId, { ports }: DeclinedIn): Declined[] => {
    const by = bringerOf(via, ports.writers)
    return [...byChain.values()].flatMap((declined) => declined.get(by) ?? [])
  }

  return {
    note({ chain, head }, by) {
      const declined = byChain.get(chain) ?? new Map<string, Declined>()
      byChain.set(chain, declined)
      const known = declined.get(by)
      if (known === undefined || known.head.sequence > head.sequence) declined.set(by, { chain, head })
      const [oldest] = byChain.keys()
      if (byChain.size > SYNC_DECLINED_MAX && oldest !== undefined) byChain.delete(oldest)
    },
    forget(chain) {
      byChain.delete(chain)
    },
    stillDeclined: (via, state) =>
      declinedOf(via, state)
        .filter((one) => isStill(one, via, state))
        .map(({ chain }) => chain),
    hasTakeable: (via, state) => declinedOf(via, state).some((one) => !isStill(one, via, state)),
  }
}
