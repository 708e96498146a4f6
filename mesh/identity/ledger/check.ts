import { asMeshError, throwIfAborted } from '../../base/index.ts'
import { openEntry } from './entry.ts'
import type { Cancellable, Ledger } from './ledger-types.ts'

/** What checking a ledger found. */
export interface LedgerFindings {
  /** Signatures of entries, certificates and proofs that hold. */
  readonly signatures: number
  /** Sentences; empty when all is well. */
  readonly faults: readonly string[]
}

/** Entries checked before others get a turn. */
const AT_ONCE = 64

/** Checks every signature and link of a ledger once more, from its bytes alone. */
export async function checkLedger(ledger: Ledger, options: Cancellable = {}): Promise<LedgerFindings> {
  const entries = ledger.entries()
  const known = new Set<string>()
  const faults: string[] = []
  let signatures = 0
  for (let start = 0; start < entries.length; start += AT_ONCE) {
    throwIfAborted(options.signal)
    const some = entries.slice(start, start + AT_ONCE)
    const opened = await Promise.allSettled(some.map((entry) => openEntry(entry.bytes, ledger.mesh)))
    for (const [index, entry] of some.entries()) {
      const result = opened[index]
      if (result?.status === 'fulfilled' && result.value.hash === entry.hash) {
        const { fields } = result.value
        const proofs =
          fields.type === 'admit'
            ? [fields.invitation, fields.recovery, fields.consent].filter((one) => one !== undefined)
            : []
        signatures += 1 + ('certificate' in fields ? 1 : 0) + (fields.type === 'invite' ? 1 : 0) + proofs.length
      } else faults.push(`Entry ${entry.hash.slice(0, 12)}: ${reasonOf(result)}`)
      if (entry.parents.some((parent) => !known.has(parent)))
        faults.push(`Entry ${entry.hash.slice(0, 12)} links an entry that is not there.`)
      known.add(entry.hash)
    }
  }
  const { corrupt, waiting } = ledger.damage()
  if (corrupt > 0)
    faults.push(`${String(corrupt)} stored entries cannot be read. They come back from any other device.`)
  if (waiting > 0) faults.push(`${String(waiting)} entries wait for others that they link.`)
  return { signatures, faults }
}

function reasonOf(result: PromiseSettledResult<unknown> | undefined): string {
  if (result?.status === 'rejected') return asMeshError(result.reason).message
  return 'It is not the entry it was.'
}
