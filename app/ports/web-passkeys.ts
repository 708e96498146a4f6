import { isMeshError, MeshError, type Random } from '../../mesh/base/index.ts'
import { toBase64url } from '../../mesh/wire/index.ts'
import type { PasskeyAnswered, PasskeyPort } from '../lock/index.ts'

const CHALLENGE_BYTES = 32
const USER_ID_BYTES = 16
/** COSE numbers of Ed25519, ECDSA P-256 and RSA; nothing is ever verified with them. */
const ALGORITHMS = [-8, -7, -257]
const HAS_IP_ADDRESS = /^(?:[\d.]+|\[.*\])$/

/**
 * Passkeys of this browser. No server takes part: the challenge is thrown away, and
 * what counts is the secret of the PRF extension (WebAuthn Level 3 §10.1.4), which only
 * the authenticator can make, and only after it verified the person.
 */
export function createWebPasskeys(window: Window & typeof globalThis, random: Random): PasskeyPort {
  const { navigator } = window
  const ask: PasskeyPort['ask'] = async (passkeys, { signal }) => {
    const salts = Object.fromEntries(
      passkeys.map(({ credential, salt }) => [toBase64url(credential), { first: new Uint8Array(salt) }]),
    )
    const answered = await personSaysYes(
      navigator.credentials.get({
        publicKey: {
          challenge: random.bytes(CHALLENGE_BYTES),
          userVerification: 'required',
          allowCredentials: passkeys.map(({ credential }) => ({ type: 'public-key', id: new Uint8Array(credential) })),
          extensions: { prf: { evalByCredential: salts } },
        },
        ...(signal === undefined ? {} : { signal }),
      }),
    )
    const prf = secretOf(answered)
    if (prf === undefined) throw givesNoSecret()
    return { credential: new Uint8Array(answered.rawId), prf }
  }
  return {
    async isOffered() {
      // a passkey belongs to a name, never to an IP address
      if (!window.isSecureContext || HAS_IP_ADDRESS.test(window.location.hostname)) return false
      if (!('PublicKeyCredential' in window)) return false
      const asked = window.PublicKeyCredential as Partial<typeof PublicKeyCredential>
      const capabilities: Readonly<Record<string, boolean>> = (await asked.getClientCapabilities?.()) ?? {}
      return capabilities['extension:prf'] !== false
    },
    async make(salt, { signal }) {
      const made = await personSaysYes(
        navigator.credentials.create({
          publicKey: {
            rp: { name: 'Plexus' },
            user: { id: random.bytes(USER_ID_BYTES), name: 'Plexus', displayName: 'Plexus' },
            challenge: random.bytes(CHALLENGE_BYTES),
            pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
            authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
            extensions: { prf: { eval: { first: new Uint8Array(salt) } } },
          },
          ...(signal === undefined ? {} : { signal }),
        }),
      )
      const credential = new Uint8Array(made.rawId)
      const prf = secretOf(made)
      // some authenticators give the secret only when they are asked, not when they are made
      return prf === undefined ? ask([{ credential, salt }], { signal }) : { credential, prf }
    },
    ask,
  } satisfies PasskeyPort
}

/** A passkey, or why there is none. */
async function personSaysYes(asking: Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const credential = await asking
    if (credential instanceof PublicKeyCredential) return credential
    throw givesNoSecret()
  } catch (error) {
    if (isMeshError(error)) throw error
    const name = error instanceof DOMException ? error.name : ''
    if (name === 'NotAllowedError' || name === 'AbortError') {
      throw new MeshError('aborted', 'The passkey was not used.', { cause: error })
    }
    throw new MeshError('unsupported', 'This browser could not use a passkey here.', { cause: error })
  }
}

function secretOf(credential: PublicKeyCredential): PasskeyAnswered['prf'] | undefined {
  const first = credential.getClientExtensionResults().prf?.results?.first
  if (first === undefined) return undefined
  return ArrayBuffer.isView(first)
    ? new Uint8Array(first.buffer.slice(first.byteOffset, first.byteOffset + first.byteLength))
    : new Uint8Array(first)
}

function givesNoSecret(): MeshError {
  return new MeshError(
    'unsupported',
    'This passkey gives no secret to open data with. Another one may, or a passphrase.',
  )
}
