import type { Connection } from '@libp2p/interface'
import { KEYS_ANSWER_TIMEOUT_MS, type Clock, type DeviceId, type EntryHash } from '../../../base/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import { keysAsk, keysBox, KEYS } from './messages.ts'

/** Keys of epochs in a box for one device. */
export interface SealedKeys {
  readonly epochs: readonly EntryHash[]
  readonly box: Uint8Array
}

/** What gives keys. */
export interface KeysHost {
  /** The keys of these that are held here and are the device's to hold. @throws MeshError `busy`, `unauthorized` */
  give(to: DeviceId, scope: string, epochs: readonly EntryHash[]): Promise<SealedKeys>
}

/** Gives keys to devices that were given them before and could not open the box; whose they are is the host's to say. */
export function keysProtocol(host: KeysHost): Protocol {
  return {
    ...KEYS,
    callers: 'store',
    handling: 'measured',
    async handle(stream, { signal }) {
      const { scope, epochs } = await stream.read(keysAsk, FIRST_FRAME)
      const sealed = await host.give(stream.peer, scope, epochs)
      await stream.write({ type: 'box', epochs: [...sealed.epochs], box: sealed.box }, { signal })
      stream.close()
    },
  }
}

/** Asks a device for keys. @throws MeshError as `openStream` and `FrameStream.read`, and what the device told */
export async function askForKeys(
  connection: Connection,
  question: { readonly scope: string; readonly epochs: readonly EntryHash[] },
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<SealedKeys> {
  const stream = await openStream(connection, KEYS, ports, options)
  try {
    await stream.write({ type: 'ask', ...question }, options)
    return await stream.read(keysBox, { ...options, timeoutMs: KEYS_ANSWER_TIMEOUT_MS })
  } finally {
    stream.close()
  }
}
