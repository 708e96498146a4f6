import { chainOf, documentKey, NO_ENVELOPE, sealEnvelope, type EnvelopeHead } from '../../mesh/sync/envelope.ts'
import type { SyncPorts } from '../../mesh/sync/index.ts'
import { encode } from '../../mesh/wire/index.ts'
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
