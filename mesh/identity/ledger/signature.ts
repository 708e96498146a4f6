import { peerIdFromString } from '@libp2p/peer-id'
import { MeshError, type DeviceId } from '../../base/index.ts'
import { createVerifier, type Verifier } from '../../seal/index.ts'

/** Devices whose keys are kept ready: importing one costs as much as a verification. */
const KEPT_MAX = 1_024

const kept = new Map<DeviceId, Promise<Verifier>>()

/**
 * True when the device signed the message.
 * @throws MeshError `malformed` when the id is not that of an Ed25519 key
 */
export async function verifySignature(device: DeviceId, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  let verifier = kept.get(device)
  if (verifier === undefined) {
    verifier = createVerifier(publicKeyOf(device))
    if (kept.size >= KEPT_MAX) kept.clear()
    kept.set(device, verifier)
  }
  return (await verifier)(message, signature)
}

function publicKeyOf(device: DeviceId): Uint8Array {
  try {
    const peer = peerIdFromString(device)
    if (peer.type === 'Ed25519' && peer.toString() === device) return peer.publicKey.raw
  } catch (error) {
    throw notADevice(error)
  }
  throw notADevice(undefined)
}

function notADevice(cause: unknown): MeshError {
  return new MeshError('malformed', 'A signed statement names a device that is none.', { cause })
}
