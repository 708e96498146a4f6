import type { SyncPorts, EpochKey } from '../../mesh/sync/index.ts'
import { chainOf, documentKey, NO_ENVELOPE, sealEnvelope } from '../../mesh/sync/envelope.ts'
import type { EnvelopePlace } from '../../mesh/sync/erasings.ts'
import { entryKey, KINDS } from '../../mesh/sync/kinds.ts'
import { encodeEntries, type ClockRange } from '../../mesh/sync/update.ts'
import type { DocumentName } from '../../mesh/sync/index.ts'

/** What each envelope of such a chain holds. */
export interface BackdatedStep {
  readonly bytes?: Uint8Array
  readonly erases?: readonly ClockRange[]
  readonly ends?: readonly EnvelopePlace[]
  /** Its box does not open with the key it names. */
  readonly isBroken?: boolean
}

type Seal = EpochKey['key']['seal']
const breaking =
  (seal: Seal): Seal =>
  (plain, _context, random) =>
    seal(plain, new Uint8Array([1]), random)

/**
 * A new chain under a key that its author held: readable, well-signed, and dated as it likes. What a
 * removed device can always make.
 */
export async function backdatedChain(
  steps: readonly BackdatedStep[],
  given: {
    readonly ports: Pick<SyncPorts, 'signer' | 'random'>
    readonly document: DocumentName
    readonly epoch: EpochKey
    readonly at: number
    /** Of a chain that is there already, for other envelopes in its places. */
    readonly run?: Uint8Array
  },
): Promise<{ readonly chain: number; readonly envelopes: Uint8Array[] }> {
  const { ports, document, epoch, at } = given
  const place = {
    document: documentKey(document),
    author: ports.signer.id,
    run: given.run ?? ports.random.bytes(16),
    epoch: epoch.id,
  }
  const chain = chainOf(place)
  const envelopes: Uint8Array[] = []
  let from = 0
  let previous = NO_ENVELOPE
  for (const { bytes, erases = [], ends, isBroken = false } of steps) {
    const entries = bytes === undefined ? [] : [{ key: entryKey(chain, from), bytes }]
    const { bytes: sealed, hash } = await sealEnvelope(
      { ...place, sequence: envelopes.length + 1, from, count: entries.length, at, previous, erases, ends },
      encodeEntries(KINDS.operations.root, chain, from, entries),
      isBroken ? { ...epoch.key, seal: breaking(epoch.key.seal) } : epoch.key,
      ports,
    )
    envelopes.push(sealed)
    from += entries.length
    previous = new Uint8Array(hash)
  }
  return { chain, envelopes }
}
