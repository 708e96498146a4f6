import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { asId, MeshError, type DeviceId, type InvitationId, type MeshId, type PersonId } from '../../base/index.ts'
import { createVerifier } from '../../seal/index.ts'
import { fromHex, toHex } from '../../wire/index.ts'
import { SECRET_BYTES } from '../proof.ts'
import { certificateHash, type SignedCertificate } from './certificate.ts'

const text = new TextEncoder()
const PROOF_CONTEXT = text.encode('plexus admission proof 1\n')
const POSSESSION_CONTEXT = text.encode('plexus invitation possession 1\n')
const RECOVERY_CONTEXT = text.encode('plexus recovery possession 1\n')

/** An Ed25519 key pair that is made from a secret and lives only to prove it. */
export interface ProofKey {
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

/** The key pair of an invitation's 128-bit secret. @throws MeshError `usage` for a secret of another length */
export function invitationKey(secret: Uint8Array): ProofKey {
  if (secret.byteLength !== SECRET_BYTES)
    throw new MeshError('usage', `An invitation’s secret has ${String(SECRET_BYTES)} bytes.`)
  const privateKey = sha256(concat(text.encode('plexus invitation key 1\n'), secret))
  return { privateKey, publicKey: ed25519.getPublicKey(privateKey) }
}

/** The public name of an invitation, from its public key. */
export const invitationIdOfKey: (key: Uint8Array) => InvitationId = once((key) =>
  asId<InvitationId>(short('plexus invitation id 1\n', key)),
)

/**
 * The id of the person a new person's invitation brings. Made from the invitation's
 * key, which its maker proves to hold: nobody can invite into an id of another.
 */
export const personIdOfInvitation: (key: Uint8Array) => PersonId = once((key) =>
  asId<PersonId>(short('plexus invited person 1\n', key)),
)

/** The id of a person an owner adds without an invitation: of the first device. */
export function personIdOfDevice(device: DeviceId): PersonId {
  return asId<PersonId>(short('plexus person 1\n', text.encode(device)))
}

/**
 * Proves that the holder of the private key (of an invitation or of a recovery) lets
 * the device of this certificate into this mesh. Worth nothing for another device, for
 * another sealing key, or elsewhere.
 */
export function admissionProof(privateKey: Uint8Array, mesh: MeshId, certificate: SignedCertificate): Uint8Array {
  return ed25519.sign(proofMessage(mesh, certificate), privateKey)
}

/** The same by a key that only signs. */
export function admissionProofBy(
  sign: (message: Uint8Array) => Uint8Array,
  mesh: MeshId,
  certificate: SignedCertificate,
): Uint8Array {
  return sign(proofMessage(mesh, certificate))
}

/** @throws MeshError `integrity` when the proof is not by this key for this mesh and certificate */
export async function checkProof(
  key: Uint8Array,
  proof: Uint8Array,
  mesh: MeshId,
  certificate: SignedCertificate,
): Promise<void> {
  const verify = await createVerifier(key)
  if (!(await verify(proofMessage(mesh, certificate), proof)))
    throw new MeshError('integrity', 'An admission is not proven by the key it names.')
}

/** Proves that the maker of an invitation holds its key, so that nobody publishes another's invitation as their own. */
export function invitationPossession(key: ProofKey, maker: DeviceId): Uint8Array {
  return ed25519.sign(concat(POSSESSION_CONTEXT, text.encode(maker)), key.privateKey)
}

/** @throws MeshError `integrity` */
export async function checkPossession(key: Uint8Array, maker: DeviceId, possession: Uint8Array): Promise<void> {
  const verify = await createVerifier(key)
  if (!(await verify(concat(POSSESSION_CONTEXT, text.encode(maker)), possession)))
    throw new MeshError('integrity', 'An invitation was published by a device that does not hold its key.')
}

/** What the possession of a recovery key is of: it was made in this mesh, for this person, with this sealing key. */
export function recoveryMessage(mesh: MeshId, person: PersonId, seal: Uint8Array): Uint8Array {
  return concat(RECOVERY_CONTEXT, fromHex(mesh), text.encode(`${person}\n`), seal)
}

/** @throws MeshError `integrity` */
export async function checkRecoveryPossession(
  keys: { readonly sign: Uint8Array; readonly seal: Uint8Array; readonly possession: Uint8Array },
  mesh: MeshId,
  person: PersonId,
): Promise<void> {
  const verify = await createVerifier(keys.sign)
  if (!(await verify(recoveryMessage(mesh, person, keys.seal), keys.possession)))
    throw new MeshError('integrity', 'A recovery key was published by a device that did not hold it.')
}

function proofMessage(mesh: MeshId, certificate: SignedCertificate): Uint8Array {
  return concat(PROOF_CONTEXT, fromHex(mesh), certificateHash(certificate))
}

/** Hashes each key of an entry once: the fold asks for them over and over. The bytes of an entry never change. */
function once<Value>(compute: (key: Uint8Array) => Value): (key: Uint8Array) => Value {
  const known = new WeakMap<Uint8Array, Value>()
  return (key) => {
    const found = known.get(key) ?? compute(key)
    known.set(key, found)
    return found
  }
}

function short(context: string, value: Uint8Array): string {
  return toHex(sha256(concat(text.encode(context), value)).subarray(0, 16))
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}
