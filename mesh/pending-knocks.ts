import {
  asMeshError,
  DIAL_TIMEOUT_MS,
  deadline,
  type Clock,
  type DeviceId,
  type EventHub,
  type Logger,
} from './base/index.ts'
import { authorize, type Membership } from './identity/index.ts'
import type { MeshEvent } from './mesh-types.ts'
import { findKnockAt, type Knocks, type Links } from './net/index.ts'

interface KnockPorts {
  readonly membership: Membership
  readonly knocks: Knocks
  readonly links: Links
  readonly events: EventHub<MeshEvent>
  readonly log: Logger
}

/** Tells the other devices of the mesh who knocks here, and hears who knocks there. */
export function shareKnocks(ports: KnockPorts): void {
  const { membership, knocks, links, events } = ports
  const told = new Set<DeviceId>()

  const mayAdmit = (id: DeviceId): boolean => authorize(membership.subject(id), 'admit', 'own-device').allowed

  const tell = (id: DeviceId): void => {
    if (mayAdmit(id)) links.send({ type: 'knocks', knocks: [...knocks.waitingHere()] }, id)
  }

  knocks.changes.subscribe(() => {
    for (const member of membership.members()) if (member.id !== membership.self) tell(member.id)
    events.emit({ type: 'knocks' })
  })
  links.changes.subscribe((id) => {
    const isUp = links.view(id).state === 'online'
    if (!isUp) told.delete(id)
    else if (!told.has(id)) {
      told.add(id)
      if (knocks.waitingHere().length > 0) tell(id)
    }
  })
  links.onFrame(async (from, frame) => {
    if (frame.type !== 'knocks') return
    if (authorize(membership.subject(from), 'report', 'knock').allowed) await knocks.hear(from, frame.knocks)
    else ports.log.debug('knocks told by a device that may report none were not heard', { from })
  })
}

/** Asks every linked device of this mesh that may hear of knocks who knocks there with a key. */
export async function askWhoKnocks(
  ports: {
    readonly membership: Membership
    readonly links: Links
    readonly clock: Clock
    readonly log: Logger
  },
  key: Uint8Array,
  cancel: { readonly signal?: AbortSignal | undefined },
): Promise<{ readonly from: DeviceId; readonly proof: NonNullable<Awaited<ReturnType<typeof findKnockAt>>> }[]> {
  const { membership, links, clock, log } = ports
  const limit = deadline(clock, DIAL_TIMEOUT_MS, 'Asking the other devices', cancel.signal)
  const asked = membership
    .members()
    .filter(({ id }) => authorize(membership.subject(id), 'admit', 'own-device').allowed)
    .filter(({ id }) => links.view(id).state === 'online')
    .map(async ({ id: from }) => {
      try {
        const proof = await findKnockAt(links.connection(from), key, { clock }, { signal: limit.signal })
        return proof === undefined ? [] : [{ from, proof }]
      } catch (error) {
        log.debug('a device did not say who knocks there', { device: from, code: asMeshError(error).code })
        return []
      }
    })
  try {
    return (await Promise.all(asked)).flat()
  } finally {
    limit.clear()
  }
}
