import { SYNC_DECLINED_MAX, type DeviceId } from '../base/index.ts'
import type { Envelope } from './envelope.ts'
import type { LateComings } from './late.ts'
import { isEndTold, type Judged } from './may-come.ts'

/** A chain of which no more was taken, for its author may not write any more and nobody told its end. */
type Declined = Pick<Envelope, 'chain' | 'head'>

/** What was not taken of a document from whom, so that nobody is asked for it again and again. In memory, and bounded. */
export interface DeclinedChains {
  note(envelope: Envelope, by: DeviceId): void
  /** Something of a chain was taken. */
  forget(chain: number): void
  /** What a device has of a chain does not go on from what is here, or breaks a rule. */
  noteBroken(chain: number, via: DeviceId): void
  isBroken(chain: number, via: DeviceId): boolean
  /** Chains of which the next envelope would not be taken from there now either. */
  stillDeclined(via: DeviceId, state: DeclinedIn): number[]
  /** True when one of them would be taken from there now. */
  hasTakeable(via: DeviceId, state: DeclinedIn): boolean
}

type DeclinedIn = Judged & { readonly late: LateComings }

/** Nothing was declined yet. */
export function createDeclinedChains(): DeclinedChains {
  const byChain = new Map<number, Map<DeviceId, Declined>>()
  const broken = new Map<string, { readonly chain: number; readonly via: DeviceId }>()

  const isStill = ({ chain, head }: Declined, via: DeviceId, state: DeclinedIn): boolean => {
    // what was declined may have come before what goes before it
    const sequence = (state.chains.get(chain)?.sequence ?? 0) + 1
    if (state.ports.writers.mayWrite(head.author, state.name.scope) || isEndTold({ chain, sequence }, state))
      return false
    const tellsEnds = head.sequence === sequence && head.ends !== undefined
    return tellsEnds || !state.late.mayBeOpenTo(head.author, via)
  }

  const declinedOf = (via: DeviceId): Declined[] => [...byChain.values()].flatMap((declined) => declined.get(via) ?? [])

  return {
    note({ chain, head }, by) {
      const declined = byChain.get(chain) ?? new Map<DeviceId, Declined>()
      byChain.set(chain, declined)
      const known = declined.get(by)
      if (known === undefined || known.head.sequence > head.sequence) declined.set(by, { chain, head })
      const [oldest] = byChain.keys()
      if (byChain.size > SYNC_DECLINED_MAX && oldest !== undefined) byChain.delete(oldest)
    },
    forget(chain) {
      byChain.delete(chain)
    },
    noteBroken(chain, via) {
      broken.set(`${String(chain)}/${via}`, { chain, via })
      const [oldest] = broken.keys()
      if (broken.size > SYNC_DECLINED_MAX && oldest !== undefined) broken.delete(oldest)
    },
    isBroken: (chain, via) => broken.has(`${String(chain)}/${via}`),
    stillDeclined(via, state) {
      const chains = [...broken.values()].filter((one) => one.via === via).map(({ chain }) => chain)
      for (const one of declinedOf(via)) if (isStill(one, via, state)) chains.push(one.chain)
      return [...new Set(chains)].slice(0, SYNC_DECLINED_MAX)
    },
    hasTakeable: (via, state) => declinedOf(via).some((one) => !isStill(one, via, state)),
  }
}
