import type { Clock, DeviceId } from './base/index.ts'
import type { EngineLoad } from './engine/index.ts'
import { authorize, type Member, type Membership } from './identity/index.ts'
import type { DeviceView, MeshModel } from './mesh-types.ts'
import type { CapabilityRecord, Links } from './net/index.ts'

/** What a device without engines tells of its load. */
export const NO_ENGINE: EngineLoad = { slots: 0, busy: 0, queued: 0 }

interface ViewPorts {
  readonly self: DeviceId
  readonly clock: Clock
  readonly membership: Membership
  readonly links: Links
  readonly capability: () => CapabilityRecord
}

/** What the lists, the links and the capability records add up to, for those who look at a mesh. */
export interface Views {
  device(member: Member): DeviceView
  /** This device first, then by name. */
  devices(): DeviceView[]
  models(): MeshModel[]
}

/** Views are made anew at each call; they hold nothing. */
export function createViews(ports: ViewPorts): Views {
  const { self, clock, membership, links } = ports

  const ownPerson = (): string | undefined => membership.admitted(self)?.person

  const mayRemove = (member: Member): boolean => {
    if (member.id === self) return false
    const object = member.person === ownPerson() ? 'own-device' : 'other-device'
    return authorize(membership.subject(self), 'revoke', object).allowed
  }

  const own = (): Pick<DeviceView, 'state' | 'path' | 'rttMs' | 'lastSeenAt' | 'models' | 'load'> => {
    const { models, load } = ports.capability()
    return { state: 'online', path: 'self', rttMs: 0, lastSeenAt: clock.now(), models, load }
  }

  const linked = (id: DeviceId): ReturnType<typeof own> & Pick<DeviceView, 'trouble'> => {
    const { state, path, rttMs, lastSeenAt, capability, trouble } = links.view(id)
    const told = { models: capability?.models ?? [], load: capability?.load ?? NO_ENGINE }
    return { state, path, rttMs, lastSeenAt, ...told, ...(trouble === undefined ? {} : { trouble }) }
  }

  const device = (member: Member): DeviceView => {
    const { id, name, kind, role, admittedAt, admittedBy, recovered } = member
    const isOwn = member.person === ownPerson()
    const seen = id === self ? own() : linked(id)
    return {
      ...seen,
      ...{ id, name, kind, role, admittedAt, admittedBy, recovered },
      person: isOwn ? '' : member.personName,
      personId: member.person,
      state: member.removedAt === null ? seen.state : 'removed',
      removable: mayRemove(member),
    }
  }

  const devices = (): DeviceView[] =>
    membership
      .members()
      .filter((member) => member.id === self || membership.admitted(member.id) !== undefined)
      .map(device)

  return {
    device,
    devices,
    models() {
      const found = new Map<string, MeshModel>()
      for (const one of devices()) {
        if (one.path === 'none') continue
        for (const record of one.models) {
          if (record.state === 'failed') continue
          const known = found.get(record.id)
          found.set(record.id, {
            id: record.id,
            sizeBytes: known?.sizeBytes ?? record.sizeBytes,
            contextTokens: Math.max(known?.contextTokens ?? 0, record.contextTokens),
            addedAt: Math.min(known?.addedAt ?? record.addedAt, record.addedAt),
            devices: [...(known?.devices ?? []), one.id],
            ready: known?.ready === true || record.state === 'ready' || record.state === 'available',
          })
        }
      }
      return [...found.values()]
    },
  }
}
