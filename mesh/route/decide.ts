import { MeshError, type DeviceId } from '../base/index.ts'
import type { EngineLoad, ModelRecord } from '../engine/index.ts'
import type {
  AskRequest,
  Forbidden,
  Path,
  Route,
  RouteCandidate,
  RouteReason,
  RouteRefusal,
  RouteScore,
} from './route.ts'

/** A device as the decision sees it. */
export interface RoutableDevice {
  readonly id: DeviceId
  readonly name: string
  readonly path: Path
  /** 0 for this device. */
  readonly rttMs: number | null
  readonly models: readonly ModelRecord[]
  readonly load: EngineLoad
  /** Which right lacks between the two; null: none. Required, so that nobody forgets to ask for it. */
  readonly forbidden: Forbidden | null
}

/** Characters a token stands for, on average over the languages people write. */
const CHARACTERS_PER_TOKEN = 3.5
/** Assumed while nothing was measured. */
const UNMEASURED = { prefillTokensPerSecond: 200, decodeTokensPerSecond: 10, rttMs: 50 }
/** Assumed time of one answer that is waited for, in ms. */
const ANSWER_MS = 8_000
/** Assumed speed at which a model is read from disk. */
const LOAD_BYTES_PER_MS = 200_000

/**
 * Decides which device answers: the one with the shortest predicted time to the
 * first word. What cannot answer is refused with its rule, never weighed.
 * @throws MeshError `device-unknown`, `unauthorized`, `model-unknown`, `model-unavailable`, `offline`
 */
export function decideRoute(request: AskRequest, devices: readonly RoutableDevice[], now: number): Route {
  if (request.device !== undefined && !devices.some((device) => device.id === request.device)) {
    throw new MeshError('device-unknown', 'There is no such device in this mesh.')
  }
  const promptTokens = request.messages.reduce((sum, message) => sum + message.content.length, 0) / CHARACTERS_PER_TOKEN
  const judged = devices.map((device) => judge(device, request, promptTokens))
  const possible = judged
    .filter((one) => one.candidate.verdict === 'possible')
    .sort((a, b) => (a.candidate.score?.firstTokenMs ?? 0) - (b.candidate.score?.firstTokenMs ?? 0))
  const [chosen] = possible
  if (chosen === undefined || chosen.candidate.model === undefined)
    throw nobody(
      request,
      judged.map((one) => one.candidate),
    )
  return {
    device: chosen.device.id,
    deviceName: chosen.device.name,
    model: chosen.candidate.model,
    path: chosen.device.path,
    reason: reasonFor(request, possible.length),
    decidedAt: now,
    candidates: judged.map(({ device, candidate }) =>
      device === chosen.device ? { ...candidate, verdict: 'chosen' } : candidate,
    ),
  }
}

function reasonFor(request: AskRequest, possible: number): RouteReason {
  if (request.device !== undefined) return 'asked-for'
  return possible === 1 ? 'only-one' : 'fastest-first-word'
}

function judge(
  device: RoutableDevice,
  request: AskRequest,
  promptTokens: number,
): { device: RoutableDevice; candidate: RouteCandidate } {
  const usable = device.models.filter(
    (model) => model.state === 'ready' || model.state === 'available' || model.state === 'loading',
  )
  const model =
    request.model === undefined
      ? (usable.find((one) => one.state === 'ready') ?? usable[0])
      : usable.find((one) => one.id === request.model)
  const base = { device: device.id, deviceName: device.name, model: model?.id }
  const refusal = refusalOf(device, request, model)
  if (refusal !== undefined || model === undefined)
    return { device, candidate: { ...base, verdict: 'refused', refusal: refusal ?? 'no-model' } }
  return { device, candidate: { ...base, verdict: 'possible', score: score(device, model, promptTokens) } }
}

function refusalOf(
  device: RoutableDevice,
  request: AskRequest,
  model: ModelRecord | undefined,
): RouteRefusal | undefined {
  if (request.device !== undefined && request.device !== device.id) return 'not-asked-for'
  if (request.among?.includes(device.id) === false) return 'not-in-room'
  if (device.forbidden !== null) return device.forbidden
  if (device.path === 'none') return 'unreachable'
  if (device.load.slots === 0) return 'no-engine'
  if (model !== undefined) return undefined
  if (device.models.length === 0) return 'no-model'
  return request.model !== undefined && !device.models.some((one) => one.id === request.model)
    ? 'model-missing'
    : 'model-not-ready'
}

function score(device: RoutableDevice, model: ModelRecord, promptTokens: number): RouteScore {
  const { slots, busy, queued } = device.load
  const rttMs = device.path === 'self' ? 0 : (device.rttMs ?? UNMEASURED.rttMs)
  const queueMs = busy < slots ? 0 : ((queued + 1) / slots) * ANSWER_MS
  const loadMs = model.state === 'ready' ? 0 : model.sizeBytes / LOAD_BYTES_PER_MS
  const prefillMs = (promptTokens / (model.speed?.prefillTokensPerSecond ?? UNMEASURED.prefillTokensPerSecond)) * 1000
  return {
    rttMs,
    queueMs,
    loadMs,
    prefillMs,
    decodeTokensPerSecond: model.speed?.decodeTokensPerSecond ?? UNMEASURED.decodeTokensPerSecond,
    firstTokenMs: rttMs + queueMs + loadMs + prefillMs,
  }
}

function nobody(request: AskRequest, candidates: readonly RouteCandidate[]): MeshError {
  const rules = new Set(candidates.map((candidate) => candidate.refusal))
  if (request.device !== undefined && rules.has('may-not-answer')) {
    return new MeshError('unauthorized', 'The device that was asked for may not answer: its role does not allow it.')
  }
  if (request.device !== undefined && rules.has('may-not-ask')) {
    return new MeshError('unauthorized', 'This device may not ask others: its role does not allow it.')
  }
  if (request.device !== undefined && rules.has('unreachable') && !rules.has('model-missing')) {
    return new MeshError('offline', 'The device that was asked for cannot be reached now.')
  }
  if (
    request.model !== undefined &&
    !rules.has('model-not-ready') &&
    !candidates.some((candidate) => candidate.model === request.model)
  ) {
    return new MeshError('model-unknown', `No device that can be reached has the model ${request.model}.`, {
      detail: { model: request.model },
    })
  }
  return new MeshError('model-unavailable', 'No device that can be reached has a model that is ready to answer.')
}
