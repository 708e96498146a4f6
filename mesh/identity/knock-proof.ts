import { asId, type MeshId } from '../base/index.ts'
import { admissionProof, checkProof, type SignedCertificate } from './ledger/index.ts'

// a device that knocks does not know the mesh yet; no mesh has this name
const ANY_MESH = asId<MeshId>('0'.repeat(64))

/** Proves that the device of this certificate knows the words whose key this is; worth nothing in a ledger. */
export function knockProof(privateKey: Uint8Array, certificate: SignedCertificate): Uint8Array {
  return admissionProof(privateKey, ANY_MESH, certificate)
}

/** @throws MeshError `integrity` when it is not */
export function checkKnock(key: Uint8Array, proof: Uint8Array, certificate: SignedCertificate): Promise<void> {
  return checkProof(key, proof, ANY_MESH, certificate)
}
