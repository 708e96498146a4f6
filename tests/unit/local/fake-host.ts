import { NO_ARCHIVES } from '../../kit/fake-archives.ts'
import { NO_CHATS } from '../../kit/fake-mesh-chats.ts'
import { NO_ROOMS } from '../../kit/fake-mesh-rooms.ts'
import { NO_KNOCKS } from '../../kit/fake-knocks.ts'
import { createFakeRecovery } from '../../kit/fake-recovery.ts'
import { asId, createEvents, MeshError, silentLogger, type DeviceId, type ModelId } from '../../../mesh/base/index.ts'
import type { ModelRecord } from '../../../mesh/engine/index.ts'
import type { DeviceView, InviteOptions, Mesh, MeshEvent } from '../../../mesh/mesh-types.ts'
import type { AskEvent, AskRequest, Route } from '../../../mesh/route/index.ts'
import { createRoomUse, type LocalHost } from '../../../helper/local/index.ts'
import { createFakePeople } from '../../kit/fake-people.ts'
import { samplePeople } from '../../kit/sample-people.ts'

export const SELF = asId<DeviceId>('12D3KooWSelfSelfSelf')
export const PHONE = asId<DeviceId>('12D3KooWPhonePhone')
export const MODEL = asId<ModelId>('tiny')

const NOW = Date.UTC(2026, 10, 21, 15, 0)
const SAMPLE = {
  self: { id: SELF, name: 'desk' },
  second: { id: asId<DeviceId>('12D3KooWLap'), name: 'laptop' },
  guest: { id: PHONE, name: 'phone' },
  gone: { id: asId<DeviceId>('12D3KooWGone'), name: 'old tablet' },
}

export function device(id: DeviceId, name: string, rest: Partial<DeviceView> = {}): DeviceView {
  return {
    id,
    name,
    kind: 'helper',
    role: 'owner',
    person: '',
    personId: '0'.repeat(32),
    state: 'online',
    path: id === SELF ? 'self' : 'direct',
    rttMs: id === SELF ? null : 1.5,
    lastSeenAt: null,
    admittedAt: 0,
    admittedBy: SELF,
    recovered: false,
    models: [],
    load: { slots: 0, busy: 0, queued: 0 },
    removable: id !== SELF,
    ...rest,
  }
}

export function route(request: AskRequest): Route {
  return {
    device: request.device ?? SELF,
    deviceName: 'desk',
    model: MODEL,
    path: 'self',
    reason: 'only-one',
    decidedAt: 0,
    candidates: [],
  }
}

/** A host whose mesh answers `words` one by one; `hold` keeps it talking until it is stopped. */
export function fakeHost(
  options: { words?: readonly string[]; hold?: boolean; faults?: readonly string[] } = {},
): LocalHost & {
  readonly removed: string[]
  readonly invited: InviteOptions[]
  readonly asked: AskRequest[]
  readonly stopped: Promise<void>
  stops: number
} {
  const removed: string[] = []
  const invited: InviteOptions[] = []
  const asked: AskRequest[] = []
  let onStopped = (): void => {}
  const stopped = new Promise<void>((resolve) => {
    onStopped = resolve
  })
  const events = createEvents<MeshEvent>(() => {})
  const record: ModelRecord = { id: MODEL, sizeBytes: 10, sha256: 'ab', contextTokens: 64, state: 'ready', addedAt: 0 }

  async function* ask(request: AskRequest, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<AskEvent> {
    asked.push(request)
    try {
      yield { type: 'route', route: route(request) }
      for (const word of options.words ?? ['Hello', ' there']) yield { type: 'text', text: word, tokenCount: 1 }
      if (options.hold === true) {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new MeshError('aborted', 'Stopped.'))
          })
        })
      }
      yield {
        type: 'end',
        finish: 'stop',
        usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 2 },
        timings: { queueMs: 0, prefillMs: 1, firstTokenMs: 2, decodeMs: 3 },
        bytesSent: 0,
      }
    } finally {
      onStopped()
    }
  }

  const people = createFakePeople({ ...samplePeople(SAMPLE, NOW), faults: options.faults }, SELF)
  const mesh: Mesh = {
    ...NO_ARCHIVES,
    ...NO_KNOCKS,
    chats: NO_CHATS,
    ...createFakeRecovery({ self: SELF }),
    rooms: NO_ROOMS,
    ...people,
    removePerson(id) {
      removed.push(id)
      return Promise.resolve()
    },
    self: SELF,
    events,
    standing: () => 'alone',
    devices: () => [device(SELF, 'desk'), device(PHONE, 'phone')],
    models: () => [],
    addresses: () => [],
    rename: () => Promise.resolve(),
    remove(id) {
      removed.push(id)
      return Promise.resolve()
    },
    invite: (request) => {
      invited.push(request)
      return Promise.resolve({
        id: asId('i'),
        fragment: 'join=x',
        url: `http://127.0.0.1:1/#join=${request.person ?? 'me'}`,
        expiresAt: 99,
        confirmation: request.confirmation,
      })
    },
    preview: () => Promise.reject(new MeshError('malformed', 'Not a link.')),
    agreeToJoin: () => Promise.resolve(),
    join: (link, joinOptions) => {
      if (!link.includes('#')) return Promise.reject(new MeshError('malformed', 'This is not an invitation.'))
      joinOptions?.onProgress?.({ phase: 'finding' })
      return Promise.resolve(device(PHONE, 'phone'))
    },
    pendingJoins: () => [],
    settleJoin: () => Promise.resolve(),
    ask,
    wake() {},
    stop: () => Promise.resolve(),
  }

  let locked = false
  const host = {
    removed,
    invited,
    asked,
    stopped,
    stops: 0,
    mesh,
    rooms: createRoomUse(mesh.rooms.rooms, silentLogger),
    models: {
      list: () => [record],
      get(
        name: string,
        {
          onProgress,
        }: {
          onProgress: (progress: {
            receivedBytes: number
            totalBytes: number
            rateBytesPerSecond: number
            source: string
          }) => void
        },
      ) {
        onProgress({ receivedBytes: 5, totalBytes: 10, rateBytesPerSecond: 5, source: 'test' })
        return name === 'tiny'
          ? Promise.resolve(record)
          : Promise.reject(new MeshError('model-unknown', `There is no model "${name}".`))
      },
      use: () => Promise.resolve(record),
      remove: () => Promise.resolve(),
    },
    token: () => 'the-token',
    pageAt: (place: 'here' | 'elsewhere') => (place === 'here' ? 'http://127.0.0.1:1/' : 'https://10.0.0.7:1/'),
    trust: () => ({ kind: 'off' as const, fingerprint: null, file: null, names: [], page: null }),
    setAuthority: (wanted: boolean) =>
      Promise.resolve({
        kind: wanted ? ('own-authority' as const) : ('off' as const),
        fingerprint: wanted ? 'AA:BB' : null,
        file: null,
        names: [],
        page: null,
      }),
    openLink: () => Promise.resolve({ url: 'http://127.0.0.1:1/#open', expiresAt: 60 }),
    lan: () => ({ lan: false, addresses: [] }),
    setLan: (open: boolean) => Promise.resolve({ lan: open, addresses: [] }),
    lock: {
      state: () => Promise.resolve({ isLocked: locked }),
      set: (passphrase: string) => {
        locked = passphrase !== ''
        return Promise.resolve({ isLocked: locked })
      },
      remove: () => {
        locked = false
        return Promise.resolve({ isLocked: locked })
      },
    },
    status: () => ({ pid: 7, peerId: SELF, startedAt: 1, pageUrl: 'http://127.0.0.1:1/', offline: false }),
    requestStop() {
      host.stops++
    },
  }
  return host
}
