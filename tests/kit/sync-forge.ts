import { chainOf, documentKey, NO_ENVELOPE, sealEnvelope, type EnvelopeHead } from '../../mesh/sync/envelope.ts'
import type { SyncPorts } from '../../mesh/sync/index.ts'
import type { SecretKey } from '../../mesh/seal/index.ts'
import { encode, toHex } from '../../mesh/wire/index.ts'
import { ROOM } from './sync-world.ts'

/** What a member puts into an envelope that she signs as herself. */
export interface Forged {
  readonly update?: Uint8Array
  /** Made when the chain is known. */
  readonly make?: (chain: number) => Forged
  readonly run?: Uint8Array
  readonly sequence?: number
  readonly from?: number
  readonly count?: number
  readonly erases?: EnvelopeHead['erases']
  readonly isBoxBroken?: boolean
}

/** A well-signed envelope with whatever in it. */
export async function forge(given: Forged, ports: SyncPorts): Promise<Uint8Array[]> {
  const epoch = await ports.keyring.current(ROOM.scope, {})
  const place = {
    document: documentKey(ROOM),
    author: ports.signer.id,
    run: given.run ?? ports.random.bytes(16),
    epoch: epoch.id,
  }
  const chain = chainOf(place)
  const forged = { ...given, ...given.make?.(chain) }
  const head: EnvelopeHead = {
    ...place,
    sequence: forged.sequence ?? 1,
    from: forged.from ?? 0,
    count: forged.count ?? 1,
    at: ports.clock.now(),
    previous: NO_ENVELOPE,
    erases: forged.erases ?? [],
  }
  const key = forged.isBoxBroken === true ? { ...epoch.key, seal: breakingSeal(epoch.key.seal) } : epoch.key
  const { bytes } = await sealEnvelope(head, forged.update ?? new Uint8Array(), key, ports)
  return [bytes]
}

function breakingSeal(seal: SealOf): SealOf {
  return async (plain, _context, random) => seal(plain, encode('another context'), random)
}

type SealOf = Awaited<ReturnType<SyncPorts['keyring']['current']>>['key']['seal']

/** What an envelope of {@link forgeChain} holds: so many entries, and which of its chain it erases. */
export interface ForgedStep {
  readonly count?: number
  readonly erases?: readonly (readonly [clock: number, count: number])[]
  /** Bytes of what is in it. */
  readonly sizeBytes?: number
}

/** A chain of well-signed envelopes under a key that nobody else has, so that all keep what nobody looks at. */
export async function forgeChain(
  steps: readonly ForgedStep[],
  ports: Pick<SyncPorts, 'signer' | 'random'>,
  document: string,
): Promise<Uint8Array[]> {
  const place = { document, author: ports.signer.id, run: ports.random.bytes(16), epoch: toHex(ports.random.bytes(32)) }
  const chain = chainOf(place)
  const unreadable = {
    seal: async (plain: Uint8Array) => new Uint8Array(plain.byteLength + 28),
  } as unknown as SecretKey
  const made: Uint8Array[] = []
  let from = 0
  let previous = NO_ENVELOPE
  for (const { count = 0, erases = [], sizeBytes = 10 } of steps) {
    const head: EnvelopeHead = {
      ...place,
      sequence: made.length + 1,
      from,
      count,
      at: 1_700_000_000_000,
      previous,
      erases: erases.map(([clock, length]) => ({ chain, clock, count: length })),
    }
    const envelope = await sealEnvelope(head, new Uint8Array(sizeBytes), unreadable, ports)
    made.push(envelope.bytes)
    from += count
    previous = new Uint8Array(envelope.hash)
  }
  return made
}
