import { NO_ARCHIVES } from '../../kit/fake-archives.ts'
import { NO_CHATS } from '../../kit/fake-mesh-chats.ts'
import { NO_ROOMS } from '../../kit/fake-mesh-rooms.ts'
import { NO_KNOCKS } from '../../kit/fake-knocks.ts'
import { createFakeRecovery } from '../../kit/fake-recovery.ts'
import {
  asId,
  createEvents,
  MeshError,
  type ChatId,
  type DeviceId,
  type EventHub,
  type ModelId,
} from '../../../mesh/base/index.ts'
import type { ModelState } from '../../../mesh/engine/index.ts'
import type { DeviceView, InvitationPreview, JoinProgress, Mesh, MeshEvent } from '../../../mesh/mesh-types.ts'
import type { MeshRooms } from '../../../mesh/rooms-types.ts'
import type { AskEvent, AskRequest } from '../../../mesh/route/index.ts'
import { createFakePeople, onePerson } from '../../kit/fake-people.ts'
import { route } from '../state/scene.ts'

const SELF = asId<DeviceId>('12D3KooWThis')

/** A question as the test mesh got it, with the hands to answer it. */
export interface Asking {
  readonly request: AskRequest
  readonly signal: AbortSignal
  say(event: AskEvent): void
  fail(error: unknown): void
  /** True once the asker left the loop or aborted. */
  left(): boolean
}

/** A mesh played by the test. */
export interface TestMesh extends Mesh {
  readonly events: EventHub<MeshEvent>
  readonly asked: Asking[]
  readonly joins: {
    readonly link: string
    readonly progress: (progress: JoinProgress) => void
    readonly settle: PromiseWithResolvers<void>
  }[]
  /** What else was done to it, in words. */
  readonly done: string[]
  /** Chats that came from other devices are told here; and those it was told of. */
  readonly arrivals: EventHub<ChatId>
  readonly written: ChatId[]
  wakes: number
  stopped: boolean
  /** Sets what the helper has; undefined: no helper in reach. */
  setHelper(model: { readonly state: ModelState; readonly receivedBytes?: number } | undefined): void
}

/** Stand-in for an engine that ignores its signal, when `deaf`. */
export function createTestMesh(options: { deaf?: boolean; rooms?: MeshRooms | undefined } = {}): TestMesh {
  const events = createEvents<MeshEvent>((error) => {
    throw error
  })
  const arrivals = createEvents<ChatId>((error) => {
    throw error
  })
  let devices: DeviceView[] = [device({ id: SELF, name: 'This browser', kind: 'browser', path: 'self' })]

  const did = (what: string): Promise<void> => {
    mesh.done.push(what)
    return Promise.resolve()
  }

  const mesh: TestMesh = {
    ...NO_ARCHIVES,
    ...NO_KNOCKS,
    chats: { ...NO_CHATS, changes: arrivals, wrote: (chat) => mesh.written.push(chat) },
    arrivals,
    written: [],
    ...createFakeRecovery({ self: SELF }),
    rooms: options.rooms ?? NO_ROOMS,
    ...createFakePeople(onePerson(SELF), SELF),
    self: SELF,
    events,
    asked: [],
    joins: [],
    done: [],
    wakes: 0,
    stopped: false,
    setHelper(model) {
      const helper = device({ id: route.device, name: route.deviceName })
      const progress = {
        receivedBytes: model?.receivedBytes ?? 0,
        totalBytes: 100,
        rateBytesPerSecond: 10,
        source: 'package',
      }
      const record = { id: route.model, sizeBytes: 100, sha256: '', contextTokens: 2048, addedAt: 1 }
      const with_ =
        model === undefined
          ? undefined
          : { ...helper, models: [{ ...record, state: model.state, progress }], load: { slots: 4, busy: 0, queued: 0 } }
      devices = [...devices.slice(0, 1), ...(with_ === undefined ? [] : [with_])]
      events.emit({ type: 'device-changed', device: with_ ?? helper })
    },
    standing: () => (devices.length > 1 ? 'member' : 'alone'),
    devices: () => devices,
    models: () => [],
    addresses: () => [],
    rename: (id, name) => did(`rename ${id} ${name}`),
    remove: (id) => did(`remove ${id}`),
    invite: () => Promise.reject(new MeshError('unsupported', 'Not here.')),
    async preview(link): Promise<InvitationPreview> {
      await Promise.resolve()
      if (!link.startsWith('join=')) throw new MeshError('malformed', 'This is no invitation.')
      return {
        inviter: route.device,
        inviterName: 'Laptop',
        role: 'owner',
        person: '',
        compares: 'nowhere',
        fromElsewhere: false,
        expiresAt: 9e15,
        known: devices.length > 1,
        atStake: { chats: 0, rooms: 0, devices: 0 },
      }
    },
    async join(link, { onProgress, signal } = {}) {
      const settle = Promise.withResolvers<void>()
      signal?.addEventListener('abort', () => {
        settle.reject(signal.reason)
      })
      mesh.joins.push({ link, progress: onProgress ?? (() => undefined), settle })
      await settle.promise
      return device({ id: route.device, name: 'Laptop' })
    },
    agreeToJoin: (link, matches) => did(`agree ${link} ${String(matches)}`),
    pendingJoins: () => [],
    settleJoin: (invitation, admit) => did(`settle ${invitation} ${String(admit)}`),
    ask(request, { signal }) {
      return play(request, signal)
    },
    wake() {
      mesh.wakes += 1
    },
    async stop() {
      mesh.stopped = true
      await mesh.rooms.rooms.stopAll()
    },
  }

  async function* play(request: AskRequest, signal: AbortSignal): AsyncGenerator<AskEvent> {
    const queue: (AskEvent | { readonly error: unknown })[] = []
    let wake: (() => void) | undefined
    let left = false
    const push = (item: AskEvent | { readonly error: unknown }): void => {
      queue.push(item)
      wake?.()
    }
    if (options.deaf !== true) {
      signal.addEventListener('abort', () => {
        push({ error: new MeshError('aborted', 'Stopped.') })
      })
    }
    mesh.asked.push({
      request,
      signal,
      say: push,
      fail: (error) => {
        push({ error })
      },
      left: () => left || signal.aborted,
    })
    try {
      for (;;) {
        const item = queue.shift()
        if (item === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        } else if ('error' in item) {
          throw item.error
        } else {
          yield item
          if (item.type === 'end') return
        }
      }
    } finally {
      left = true
    }
  }
  return mesh
}

/** The end of an answer of three tokens. */
export const end: AskEvent = {
  type: 'end',
  finish: 'stop',
  usage: { promptTokens: 12, cachedTokens: 0, completionTokens: 3 },
  timings: { queueMs: 0, prefillMs: 80, firstTokenMs: 90, decodeMs: 100 },
  bytesSent: 230,
}

function device(given: Pick<DeviceView, 'id' | 'name'> & Partial<DeviceView>): DeviceView {
  return {
    kind: 'helper',
    role: 'owner',
    person: '',
    personId: '0'.repeat(32),
    state: 'online',
    path: 'direct',
    rttMs: 1,
    lastSeenAt: 1,
    admittedAt: 1,
    admittedBy: SELF,
    recovered: false,
    models: [],
    load: { slots: 0, busy: 0, queued: 0 },
    removable: true,
    ...given,
  }
}

/** A model id, for tests that choose one. */
export const modelId = (name: string): ModelId => asId<ModelId>(name)
