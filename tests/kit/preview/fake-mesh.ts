import { NO_ARCHIVES } from '../fake-archives.ts'
import { NO_CHATS } from '../fake-mesh-chats.ts'
import { NO_ROOMS } from '../fake-mesh-rooms.ts'
import { createFakeRecovery } from '../fake-recovery.ts'
import { abortReason, asId, createEvents, MeshError, type DeviceId, type ModelId } from '../../../mesh/base/index.ts'
import type { ModelRecord } from '../../../mesh/engine/index.ts'
import type { DeviceView, KnockView, Mesh, MeshEvent, PendingJoin, Standing } from '../../../mesh/mesh-types.ts'
import type { Route } from '../../../mesh/route/index.ts'
import { createFakePeople, fakeInvitationId, onePerson, type PeopleScript } from '../fake-people.ts'

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** A peer id that looks like one, the same for the same name. */
export function fakeDeviceId(name: string): DeviceId {
  let hash = 7
  let text = '12D3KooW'
  for (let at = 0; at < 44; at += 1) {
    hash = (hash * 31 + (name.codePointAt(at % name.length) ?? 0) + at) % 9973
    text += BASE58[hash % BASE58.length] ?? '1'
  }
  return asId<DeviceId>(text)
}

/** The model of the preview as a device has it. */
export function fakeModel(change: Partial<ModelRecord> = {}): ModelRecord {
  return {
    id: asId<ModelId>('SmolLM2-135M-Instruct'),
    sizeBytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    contextTokens: 2_048,
    state: 'ready',
    addedAt: Date.UTC(2026, 10, 18),
    ...change,
  }
}

/** A device of the preview; what is not said is that of an online helper without models. */
export function fakeDevice(name: string, change: Partial<DeviceView> = {}): DeviceView {
  const id = fakeDeviceId(name)
  return {
    id,
    name,
    kind: 'helper',
    role: 'owner',
    person: '',
    personId: '0'.repeat(32),
    state: 'online',
    path: 'direct',
    rttMs: 3,
    lastSeenAt: Date.now(),
    admittedAt: Date.UTC(2026, 2, 3),
    admittedBy: id,
    recovered: false,
    models: [],
    load: { slots: 0, busy: 0, queued: 0 },
    removable: false,
    ...change,
  }
}

/** The words of the preview. */
export const FAKE_WORDS = ['meadow', 'cradle', 'zebra', 'piano', 'umbrella', 'sister']
const KNOCK: KnockView = { device: fakeDeviceId('Jade Otter'), name: 'Jade Otter', kind: 'browser', path: 'direct' }

/** What a fake mesh begins with. */
export interface FakeMeshOptions {
  readonly standing: Standing
  readonly devices: readonly DeviceView[]
  readonly pending?: readonly PendingJoin[] | undefined
  /** Absent: one person who owns all devices. */
  readonly people?: PeopleScript | undefined
  /** Since when there are recovery words; absent: there are none. */
  readonly recoverySince?: number | undefined
  readonly recoveryBy?: DeviceId | undefined
  /** Devices that are there once recovery words were right; absent: none are. */
  readonly comesBack?: readonly DeviceView[] | undefined
}

/** A mesh of the preview that other scripts can change. */
export interface FakeMesh extends Mesh {
  change(id: DeviceId, part: Partial<DeviceView>): void
}

/** Makes a mesh whose devices are given, and that does what screens ask of it. */
export function createFakeMesh(options: FakeMeshOptions): FakeMesh {
  let devices = [...options.devices]
  let standing = options.standing
  let pending = [...(options.pending ?? [])]
  const events = createEvents<MeshEvent>((error) => {
    console.error(error)
  })
  const find = (id: DeviceId): DeviceView => {
    const device = devices.find((entry) => entry.id === id)
    if (device === undefined) throw new MeshError('device-unknown', 'This device is not in the mesh.')
    return device
  }
  const change = (id: DeviceId, part: Partial<DeviceView>): void => {
    const device = { ...find(id), ...part }
    devices = devices.map((entry) => (entry.id === id ? device : entry))
    events.emit({ type: 'device-changed', device })
  }
  const self = devices[0]?.id ?? fakeDeviceId('nobody')
  const people = createFakePeople(options.people ?? onePerson(self), self, () => {
    events.emit({ type: 'people-changed' })
  })
  const recovery = createFakeRecovery({
    self,
    since: options.recoverySince,
    by: options.recoveryBy,
    door:
      options.comesBack === undefined
        ? undefined
        : () => {
            standing = 'member'
            const back = options.comesBack ?? []
            devices = [...devices, ...back]
            events.emit({ type: 'membership', standing })
            return back[0] ?? find(self)
          },
    onChange() {
      events.emit({ type: 'people-changed' })
    },
  })
  const forget = (ids: readonly DeviceId[]): void => {
    const gone = devices.filter((device) => ids.includes(device.id))
    devices = devices.filter((device) => !ids.includes(device.id))
    for (const id of ids) events.emit({ type: 'device-removed', id })
    const others = devices.filter((device) => device.id !== self)
    people.recordRemoval(gone, others.filter((device) => device.state === 'online').length, others.length)
  }
  return {
    ...NO_ARCHIVES,
    ...recovery,
    knock: (_door, { onWords, signal }) => {
      onWords(FAKE_WORDS)
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(abortReason(signal))
        })
      })
    },
    knocks: () => (options.standing === 'alone' ? [] : [KNOCK]),
    async findKnock(words) {
      await Promise.resolve()
      if (words.split(' ').length !== FAKE_WORDS.length) throw new MeshError('usage', 'The other device shows 6 words.')
      if (words !== FAKE_WORDS.join(' ')) throw new MeshError('invitation-unknown', 'No device shows these words.')
      return KNOCK
    },
    admitKnock() {
      const device = fakeDevice(KNOCK.name, { kind: KNOCK.kind })
      devices = [...devices, device]
      events.emit({ type: 'device-joined', device })
      return Promise.resolve()
    },
    chats: NO_CHATS,
    rooms: NO_ROOMS,
    ...people,
    async removePerson(person) {
      const ids = people.people().find((one) => one.id === person)?.devices ?? []
      await people.removePerson(person)
      forget(ids)
    },
    self,
    events,
    change,
    standing: () => standing,
    devices: () => devices,
    models: () => [],
    addresses: () => [],
    rename(id, name) {
      change(id, { name })
      return Promise.resolve()
    },
    remove(id) {
      forget([id])
      return Promise.resolve()
    },
    invite: () =>
      Promise.resolve({
        id: fakeInvitationId('new'),
        fragment: 'j=o2F2AWFrWCBr9n1cVw',
        url: `http://127.0.0.1:8790/#j=${'oWF2AWFpWCAS3kQ0'.repeat(12)}`,
        expiresAt: Date.now() + 10 * 60_000,
        confirmation: 'pictures',
      }),
    preview: () => Promise.reject(new MeshError('malformed', 'This is no invitation.')),
    agreeToJoin: () => Promise.resolve(),
    join: () => Promise.reject(new MeshError('unsupported', 'The preview does not join.')),
    pendingJoins: () => pending,
    settleJoin(invitation, admit) {
      const join = pending.find((entry) => entry.invitation === invitation)
      pending = pending.filter((entry) => entry.invitation !== invitation)
      if (join === undefined) return Promise.resolve()
      if (admit) {
        const device = fakeDevice(join.name, { id: join.device, kind: join.kind })
        devices = [...devices, device]
        events.emit({ type: 'device-joined', device })
      }
      events.emit({ type: 'join-settled', invitation, device: join.device, admitted: admit })
      return Promise.resolve()
    },
    ask() {
      throw new MeshError('unsupported', 'The preview does not ask the mesh.')
    },
    wake() {},
    stop: () => Promise.resolve(),
  }
}

/** A decision with one chosen, one possible and one refused device. */
export function fakeRoute(chosen: DeviceView, others: readonly DeviceView[]): Route {
  const model = chosen.models[0]?.id ?? fakeModel().id
  return {
    device: chosen.id,
    deviceName: chosen.name,
    model,
    path: chosen.path,
    reason: others.length === 0 ? 'only-one' : 'fastest-first-word',
    decidedAt: Date.now(),
    candidates: [
      {
        device: chosen.id,
        deviceName: chosen.name,
        model,
        verdict: 'chosen',
        score: { rttMs: 3, queueMs: 0, loadMs: 0, prefillMs: 480, decodeTokensPerSecond: 39, firstTokenMs: 483 },
      },
      ...others.map((device, index) =>
        index === 0
          ? {
              device: device.id,
              deviceName: device.name,
              model,
              verdict: 'possible' as const,
              score: {
                rttMs: 84,
                queueMs: 0,
                loadMs: 1900,
                prefillMs: 720,
                decodeTokensPerSecond: 17,
                firstTokenMs: 2704,
              },
            }
          : {
              device: device.id,
              deviceName: device.name,
              model: undefined,
              verdict: 'refused' as const,
              refusal: 'no-engine' as const,
            },
      ),
    ],
  }
}
