import { NO_ARCHIVES } from './fake-archives.ts'
import { NO_CHATS } from './fake-mesh-chats.ts'
import { NO_ROOMS } from './fake-mesh-rooms.ts'
import { NO_KNOCKS } from './fake-knocks.ts'
import { createFakeRecovery } from './fake-recovery.ts'
import {
  abortReason,
  asId,
  createEvents,
  MeshError,
  type DeviceId,
  type EventHub,
  type ModelId,
} from '../../mesh/base/index.ts'
import type { ModelRecord } from '../../mesh/engine/index.ts'
import type { DeviceView, Mesh, MeshEvent, MeshModel } from '../../mesh/mesh-types.ts'
import type { AskEvent, AskRequest, Route } from '../../mesh/route/index.ts'
import { createFakePeople, onePerson } from './fake-people.ts'

/** What a fake mesh answers to a question; the signal is the asker's. */
export type AnswerScript = (request: AskRequest, signal: AbortSignal) => AsyncIterable<AskEvent>

/** One question a fake mesh was asked. */
export interface RecordedAsk {
  readonly request: AskRequest
  readonly signal: AbortSignal
  /** The script was left: it ended, failed or was stopped. */
  isOver: boolean
}

/** A mesh whose answers are scripted, for tests of what stands on the facade. */
export interface FakeMesh extends Mesh {
  readonly events: EventHub<MeshEvent>
  readonly asks: readonly RecordedAsk[]
  /** Changes what is answered from now on. */
  answerWith(script: AnswerScript): void
  setModels(models: readonly MeshModel[]): void
}

/** The device of a fake mesh. */
export const FAKE_DEVICE = asId<DeviceId>('12D3KooWFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake')
/** The one model of a fake mesh. */
export const FAKE_MODEL = asId<ModelId>('fake-135m')

/** A model as a fake mesh lists it. */
export function fakeModel(id: string = FAKE_MODEL, addedAt = 1_700_000_000_999): MeshModel {
  return { id: asId<ModelId>(id), sizeBytes: 1_000, contextTokens: 2_048, addedAt, devices: [FAKE_DEVICE], ready: true }
}

/** The route every scripted answer begins with. */
export function fakeRoute(model: ModelId = FAKE_MODEL): Route {
  return {
    device: FAKE_DEVICE,
    deviceName: 'Büro – Rechner',
    model,
    path: 'self',
    reason: 'only-one',
    decidedAt: 1_700_000_000_000,
    candidates: [],
  }
}

/** Says the texts one by one, then ends. */
export function saying(texts: readonly string[], options: { finish?: 'stop' | 'length' } = {}): AnswerScript {
  return async function* (request, signal) {
    yield { type: 'route', route: fakeRoute(request.model) }
    yield { type: 'phase', phase: 'reading', fraction: 1 }
    for (const text of texts) {
      // a real engine gives way between tokens; without it a stop would be seen only at the end
      await Promise.resolve()
      if (signal.aborted) throw abortReason(signal)
      yield { type: 'text', text, tokenCount: 1 }
    }
    yield fakeEnd(texts.length, options.finish ?? 'stop')
  }
}

/** The end of a scripted answer. */
export function fakeEnd(completionTokens: number, finish: 'stop' | 'length' = 'stop'): AskEvent {
  return {
    type: 'end',
    finish,
    usage: { promptTokens: 7, cachedTokens: 3, completionTokens },
    timings: { queueMs: 0, prefillMs: 1, firstTokenMs: 1, decodeMs: 1 },
    bytesSent: 100,
  }
}

/** Fails before anything was said. */
export function failing(error: MeshError): AnswerScript {
  return async function* () {
    await Promise.resolve()
    throw error
  }
}

/** Says the events, then waits until it is stopped. */
export function hanging(events: readonly AskEvent[] = []): AnswerScript {
  return async function* (_request, signal) {
    yield* events
    await new Promise((_resolve, reject) => {
      const stop = (): void => {
        reject(abortReason(signal))
      }
      if (signal.aborted) stop()
      else signal.addEventListener('abort', stop, { once: true })
    })
  }
}

/** A mesh of one device that answers by script. */
export function createFakeMesh(options: { answer?: AnswerScript; models?: readonly MeshModel[] } = {}): FakeMesh {
  let answer = options.answer ?? saying(['Hello', ', ', 'world', '.'])
  let models = options.models ?? [fakeModel()]
  const asks: RecordedAsk[] = []
  const events = createEvents<MeshEvent>((error) => {
    throw error
  })
  const unused = (): never => {
    throw new MeshError('unsupported', 'A fake mesh does not do this.')
  }
  return {
    ...NO_ARCHIVES,
    ...NO_KNOCKS,
    chats: NO_CHATS,
    ...createFakeRecovery({ self: FAKE_DEVICE }),
    rooms: NO_ROOMS,
    ...createFakePeople(onePerson(FAKE_DEVICE), FAKE_DEVICE),
    self: FAKE_DEVICE,
    events,
    asks,
    answerWith(script) {
      answer = script
    },
    setModels(next) {
      models = next
    },
    standing: () => 'alone',
    devices: () => [fakeDevice()],
    models: () => models,
    addresses: () => [`/ip4/127.0.0.1/tcp/4001/ws/p2p/${FAKE_DEVICE}`],
    async *ask(request, { signal }) {
      const record: RecordedAsk = { request, signal, isOver: false }
      asks.push(record)
      try {
        yield* answer(request, signal)
      } finally {
        record.isOver = true
      }
    },
    pendingJoins: () => [],
    wake() {},
    stop: () => Promise.resolve(),
    rename: unused,
    remove: unused,
    invite: unused,
    preview: unused,
    join: unused,
    agreeToJoin: unused,
    settleJoin: unused,
  }
}

function fakeDevice(): DeviceView {
  const models: readonly ModelRecord[] = []
  return {
    id: FAKE_DEVICE,
    name: 'Büro – Rechner',
    kind: 'helper',
    role: 'owner',
    person: '',
    personId: '0'.repeat(32),
    state: 'online',
    path: 'self',
    rttMs: null,
    lastSeenAt: null,
    admittedAt: 0,
    admittedBy: FAKE_DEVICE,
    recovered: false,
    models,
    load: { slots: 1, busy: 0, queued: 0 },
    removable: false,
  }
}

/** Most characters of a prompt that {@link reciting} takes. */
export const RECITING_CONTEXT_CHARACTERS = 20_000

/**
 * Behaves as an engine with a model that says `text` over and over, one character
 * a token: knows max_tokens, stop strings across tokens and a full context.
 */
export function reciting(text: string): AnswerScript {
  return async function* (request, signal) {
    const promptLength = request.messages.reduce((sum, { content }) => sum + content.length, 0)
    if (promptLength > RECITING_CONTEXT_CHARACTERS) {
      throw new MeshError(
        'engine-context',
        `The prompt has ${String(promptLength)} tokens, more than this model takes.`,
      )
    }
    yield { type: 'route', route: fakeRoute(request.model) }
    yield { type: 'phase', phase: 'reading', fraction: 1 }
    const maxTokens = request.sampling.maxTokens ?? Number.POSITIVE_INFINITY
    const stops = request.sampling.stop ?? []
    const whole = endOfStop(text.repeat(2), stops)
    for (let count = 0; count < maxTokens; count++) {
      if (count === whole) {
        yield fakeEnd(count)
        return
      }
      // the pace of a small model; a stop is seen between two tokens
      await new Promise((resolve) => setImmediate(resolve))
      if (signal.aborted) throw abortReason(signal)
      yield { type: 'text', text: text.charAt(count % text.length), tokenCount: 1 }
    }
    yield fakeEnd(maxTokens, 'length')
  }
}

/** How many characters come before the first stop string. */
function endOfStop(text: string, stops: readonly string[]): number {
  const places = stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0)
  return Math.min(Number.POSITIVE_INFINITY, ...places)
}
