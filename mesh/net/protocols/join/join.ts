import type { Connection } from '@libp2p/interface'
import {
  DIAL_TIMEOUT_MS,
  MeshError,
  PENDING_JOIN_MS,
  type Clock,
  type DeviceId,
  type InvitationId,
} from '../../../base/index.ts'
import {
  comparePictures,
  invitationIdOf,
  joinProof,
  type InvitationLink,
  type SignedRoster,
} from '../../../identity/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import { JOIN, prove, verdict } from './messages.ts'

/** A proof that arrived, as the inviter's admission judges it. */
export interface ProofGiven {
  readonly invitation: InvitationId
  readonly proof: Uint8Array
  readonly device: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  readonly connection: Connection
}

/** The inviter's side of admission. */
export interface Admission {
  /**
   * Judges a proof and resolves with the list that names the joiner.
   * `compare` is called first when the pictures have to be compared by people.
   * @throws MeshError `invitation-unknown`, `invitation-used`, `invitation-expired`, `refused`
   */
  admit(
    given: ProofGiven,
    options: { readonly compare: (nonce: Uint8Array) => Promise<void>; readonly signal: AbortSignal },
  ): Promise<SignedRoster>
}

/** The only protocol a stranger may speak. */
export function joinProtocol(admission: Admission): Protocol {
  return {
    ...JOIN,
    callers: 'anyone',
    async handle(stream, { connection, signal }) {
      const { invitation, proof, name, kind } = await stream.read(prove, FIRST_FRAME)
      const roster = await admission.admit(
        { invitation, proof, name, kind, device: stream.peer, connection },
        {
          signal,
          async compare(nonce) {
            await stream.write({ type: 'compare', nonce }, { signal })
          },
        },
      )
      await stream.write({ type: 'admitted', roster }, { signal })
      stream.close()
    },
  }
}

/**
 * Proves an invitation to the inviter at the other end of `connection`.
 * @returns the signed list that names this device.
 * @throws MeshError what the inviter told, `timeout`, `peer-gone`, `aborted`
 */
export async function proveInvitation(
  connection: Connection,
  link: InvitationLink,
  self: { readonly id: DeviceId; readonly name: string; readonly kind: 'helper' | 'browser' },
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal; readonly onPictures: (pictures: readonly string[]) => void },
): Promise<SignedRoster> {
  if (connection.remotePeer.toString() !== link.inviter)
    throw new MeshError('integrity', 'Another device answered than the one that invited.')
  const stream = await openStream(connection, JOIN, ports, options)
  try {
    await stream.write(
      {
        type: 'prove',
        invitation: invitationIdOf(link.secret),
        proof: joinProof(link.secret, link.inviter, self.id),
        name: self.name,
        kind: self.kind,
      },
      options,
    )
    let answer = await stream.read(verdict, { signal: options.signal, timeoutMs: DIAL_TIMEOUT_MS })
    if (answer.type === 'compare') {
      options.onPictures(comparePictures(link.inviter, self.id, answer.nonce))
      answer = await stream.read(verdict, { signal: options.signal, timeoutMs: PENDING_JOIN_MS })
    }
    if (answer.type !== 'admitted')
      throw new MeshError('malformed', 'The inviting device asked to compare pictures twice.')
    stream.close()
    return answer.roster
  } catch (error) {
    stream.abort(error)
    throw error
  }
}
