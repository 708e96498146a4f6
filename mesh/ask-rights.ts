import { MeshError, type DeviceId } from './base/index.ts'
import { authorize, type Membership } from './identity/index.ts'
import type { AskRequest, Forbidden } from './route/index.ts'

/** The rights between whoever asks and whoever answers, as they are now. */
export interface AskRights {
  /** Which right this device lacks to ask that one, or that one to answer; null: none. */
  forbidden(id: DeviceId, through: AskRequest['through']): Forbidden | null
  /**
   * Watches them while a question is on its way: the signal is aborted in the moment one
   * is taken away, with `removed` or `unauthorized` as its reason.
   */
  watch(id: DeviceId, through: AskRequest['through']): { readonly signal: AbortSignal; end(): void }
}

/** Rights of questions that this device asks. What its own engine answers to it concerns nobody else. */
export function createAskRights(membership: Membership): AskRights {
  const { self } = membership

  const forbidden: AskRights['forbidden'] = (id, through) => {
    if (id === self) return null
    const mayPrograms = through !== 'gateway' || authorize(membership.subject(self), 'gateway', 'own-device').allowed
    if (!mayPrograms || !membership.mayServe(self, 'ask', id)) return 'may-not-ask'
    return membership.mayServe(id, 'answer', self) ? null : 'may-not-answer'
  }

  const reasonNow = (id: DeviceId, through: AskRequest['through']): MeshError | undefined => {
    if (id !== self && membership.admitted(id) === undefined)
      return new MeshError('removed', 'One of the two devices was removed from the mesh.')
    return forbidden(id, through) === null
      ? undefined
      : new MeshError('unauthorized', 'The role of one of the two devices does not allow this question any more.')
  }

  return {
    forbidden,
    watch(id, through) {
      const lost = new AbortController()
      const look = (): void => {
        const reason = reasonNow(id, through)
        if (reason !== undefined) lost.abort(reason)
      }
      const end = membership.changes.subscribe(look)
      // between the decision and this line somebody may have gone
      look()
      return { signal: lost.signal, end }
    },
  }
}
