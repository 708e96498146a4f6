import type { MeshId, PersonId } from '../../base/index.ts'
import type { RecoveryKeys } from '../../seal/index.ts'
import type { SignedCertificate } from './certificate.ts'
import type { SignedConsent } from './consent.ts'
import type { FieldsOf } from './entry.ts'
import { admissionProofBy, recoveryMessage } from './proofs.ts'
import type { LedgerRecovery, LedgerState } from './state.ts'

/** The entry that puts the recovery key of a person in force in a mesh; the one before is replaced. */
export function recoveryDraft(keys: RecoveryKeys, mesh: MeshId, person: PersonId): FieldsOf<'recovery'> {
  const { sign, seal } = keys
  const possession = sign.sign(recoveryMessage(mesh, person, seal.publicKey))
  return { type: 'recovery', person, keys: { sign: sign.publicKey, seal: seal.publicKey, possession } }
}

/** Proves that the holder of a recovery key lets the device of this certificate into this mesh. */
export function recoveryProof(keys: RecoveryKeys, mesh: MeshId, certificate: SignedCertificate): Uint8Array {
  return admissionProofBy((message) => keys.sign.sign(message), mesh, certificate)
}

/** The entry that brings the device of a certificate back to the person of a recovery key; without a consent only by that device itself. */
export function admitByRecovery(
  recovery: Pick<LedgerRecovery, 'person' | 'sign'>,
  proof: Uint8Array,
  certificate: SignedCertificate,
  consent?: SignedConsent,
): FieldsOf<'admit'> {
  return {
    ...{ type: 'admit', certificate, person: recovery.person, recovery: { key: recovery.sign, proof } },
    ...(consent === undefined ? {} : { consent }),
  }
}

/** Whose recovery key in force this is. */
export function recoveryOfKey(state: LedgerState, key: Uint8Array): LedgerRecovery | undefined {
  return [...state.recoveries.values()].find(({ sign }) => isSameKey(sign, key))
}

/** Public keys: how long the look takes says nothing. */
export function isSameKey(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && one.every((byte, index) => byte === other[index])
}
