import { MeshError, type InvitationId, type Random } from './base/index.ts'
import {
  certificateHash,
  commitmentOf,
  comparePictures,
  invitationIdOfKey,
  invitationKey,
  NONCE_BYTES,
  type Comparison,
  type InvitationLink,
  type SignedCertificate,
} from './identity/index.ts'
import type { DeviceId } from './base/index.ts'
import { PicturesDiffer, type PicturesAtJoiner } from './net/index.ts'

/** One try to join, as the joining side compares it. */
export interface PicturesHere {
  /** What binds this device to its number before it hears the other one. */
  readonly commitment: Uint8Array
  readonly pictures: Omit<PicturesAtJoiner, 'consent'>
  /** Resolves when its person may be followed to the other mesh. @throws MeshError `refused`, `integrity` */
  agreed(): Promise<void>
}

/** Where the person at this device says whether both screens show the same. */
export interface ComparingHere {
  /** `asks`: nothing is joined before the person here said yes too. */
  begin(
    link: InvitationLink,
    certificate: SignedCertificate,
    how: { readonly asks: boolean; readonly signal: AbortSignal; readonly onPictures: (pictures: string[]) => void },
  ): PicturesHere
  /** A person's word. @throws MeshError `invitation-unknown` when nothing is compared here by this link */
  answer(link: InvitationLink, matches: boolean): void
}

/** The joining side of the pictures. */
export function createComparingHere({
  self,
  random,
}: {
  readonly self: DeviceId
  readonly random: Random
}): ComparingHere {
  const asked = new Map<InvitationId, (matches: boolean) => void>()
  /** Answers that were lost after the person had compared: what was agreed to is not asked again. */
  const agreedBefore = new Set<InvitationId>()

  return {
    begin(link, certificate, { asks, signal, onPictures }) {
      const invitation = invitationOf(link)
      const comparison: Comparison = {
        ...{ mesh: link.mesh, inviter: link.inviter, joiner: self, invitation },
        certificate: certificateHash(certificate),
      }
      const joiner = random.bytes(NONCE_BYTES)
      const word = Promise.withResolvers<undefined>()
      const differs = Promise.withResolvers<never>()
      // whoever waits for them hears of it; nobody has to
      word.promise.catch(() => undefined)
      differs.promise.catch(() => undefined)
      signal.addEventListener('abort', () => {
        word.reject(signal.reason)
      })
      let wereShown = false
      return {
        commitment: commitmentOf(joiner, comparison),
        pictures: {
          differs: differs.promise,
          exchange(inviter) {
            wereShown = true
            agreedBefore.delete(invitation)
            if (asks) {
              asked.set(invitation, (matches) => {
                asked.delete(invitation)
                if (matches) {
                  agreedBefore.add(invitation)
                  word.resolve(undefined)
                  return
                }
                word.reject(new PicturesDiffer())
                differs.reject(new PicturesDiffer())
              })
            }
            onPictures(comparePictures(comparison, { joiner, inviter }))
            return joiner
          },
        },
        async agreed() {
          if (!asks) return
          if (!wereShown && agreedBefore.has(invitation)) return
          // an inviter that spares the pictures is one that fears them
          if (!wereShown)
            throw new MeshError('integrity', 'The pictures were not compared, as they had to be. Nothing was joined.', {
              fault: 'peer',
            })
          await word.promise
        },
      }
    },
    answer(link, matches) {
      const settle = asked.get(invitationOf(link))
      if (settle === undefined)
        throw new MeshError('invitation-unknown', 'No pictures of this invitation are compared here any more.')
      settle(matches)
    },
  }
}

function invitationOf(link: InvitationLink): InvitationId {
  return invitationIdOfKey(invitationKey(link.secret).publicKey)
}
