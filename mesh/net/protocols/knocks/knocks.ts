import type { Connection } from '@libp2p/interface'
import { DIAL_TIMEOUT_MS, MeshError, type Clock, type DeviceId } from '../../../base/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import type { KnockProof } from '../control/messages.ts'
import { findFrame, foundFrame, KNOCKS } from './messages.ts'

/** Who knocks here, for other devices of the mesh. */
export interface KnocksHost {
  /** Whether a device may admit further ones, and so hear who knocks. */
  mayHear(id: DeviceId): boolean
  /** The knock on this device's own line with this key. */
  withKey(key: Uint8Array): KnockProof | undefined
}

/**
 * Answers who knocks with a key. Only a few knocks are told unasked, and a stranger can make
 * more than that: the one whose words were typed is found all the same.
 */
export function knocksProtocol(host: KnocksHost): Protocol {
  return {
    ...KNOCKS,
    callers: 'read-ledger',
    handling: 'measured',
    async handle(stream, { signal }) {
      const { key } = await stream.read(findFrame, FIRST_FRAME)
      if (!host.mayHear(stream.peer))
        throw new MeshError('unauthorized', 'The role of this device does not allow it to admit others.')
      const knock = host.withKey(key)
      await stream.write(knock === undefined ? { type: 'none' } : { type: 'knock', knock }, { signal })
      stream.close()
    },
  }
}

/**
 * Asks a device for the knock with a key. What it answers is to be proven anew.
 * @throws MeshError `unsupported`, `unauthorized`, `peer-gone`, `timeout`, `aborted`
 */
export async function findKnockAt(
  connection: Connection,
  key: Uint8Array,
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<KnockProof | undefined> {
  const stream = await openStream(connection, KNOCKS, ports, options)
  try {
    await stream.write({ type: 'find', key }, options)
    const found = await stream.read(foundFrame, { signal: options.signal, timeoutMs: DIAL_TIMEOUT_MS })
    stream.close()
    return found.type === 'knock' ? found.knock : undefined
  } catch (error) {
    stream.abort(error)
    throw error
  }
}
