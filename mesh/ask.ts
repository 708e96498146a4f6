import {
  asMeshError,
  MeshError,
  sortableId,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type EventHub,
  type Random,
  type RequestId,
} from './base/index.ts'
import type { EngineHost } from './engine/index.ts'
import type { MeshEvent } from './mesh-types.ts'
import { askDevice, type Links, type RemoteEvent } from './net/index.ts'
import { decideRoute, type AskEvent, type AskRequest, type RoutableDevice, type Route } from './route/index.ts'

interface AskPorts {
  readonly clock: Clock
  readonly random: Random
  readonly engines: EngineHost | undefined
  readonly links: Links
  readonly events: EventHub<MeshEvent>
  readonly devices: () => readonly RoutableDevice[]
  readonly admitted: (id: DeviceId) => boolean
}

/** Asks the best device of the mesh, this one among them. */
export type Ask = (
  request: AskRequest,
  options: { readonly signal: AbortSignal },
) => AsyncGenerator<AskEvent, void, undefined>

/** Route, then the answer of whoever was chosen, in the words of an asker. */
export function createAsk(ports: AskPorts): Ask {
  const { clock, random, engines, links, events } = ports

  const answerOf = (
    route: Route,
    request: AskRequest,
    id: RequestId,
    signal: AbortSignal,
  ): AsyncIterable<RemoteEvent> => {
    const question = { model: route.model, messages: request.messages, sampling: request.sampling }
    if (route.path === 'self' && engines !== undefined) return engines.generate(question, { signal })
    return askDevice(links.connection(route.device), { ...question, id }, { clock }, { signal })
  }

  /** A link that is cut because one of the two was removed is no device that went away. */
  const causeOf = (error: MeshError, route: Route): MeshError =>
    error.code === 'peer-gone' && route.path !== 'self' && !ports.admitted(route.device)
      ? new MeshError('removed', 'One of the two devices was removed from the mesh.', { cause: error })
      : error

  return async function* ask(request, { signal }) {
    throwIfAborted(signal)
    const id = sortableId(clock.now(), random) as RequestId
    const route = decideRoute(request, ports.devices(), clock.now())
    yield { type: 'route', route }
    if (route.path !== 'self') yield { type: 'phase', phase: 'connecting' }
    events.emit({ type: 'ask-started', request: id, device: route.device, model: route.model })
    let outcome = 'aborted'
    let bytesSent = 0
    try {
      for await (const event of answerOf(route, request, id, signal)) {
        if (event.type === 'sent') bytesSent = event.bytes
        else if (event.type === 'end') {
          outcome = event.finish
          yield { ...event, bytesSent }
        } else if (event.type === 'text') {
          events.emit({ type: 'tokens', request: id, device: route.device, tokenCount: event.tokenCount })
          yield event
        } else yield phaseOf(event)
      }
      if (outcome === 'aborted') throw new MeshError('peer-gone', 'The answer ended without an end.')
    } catch (error) {
      const known = causeOf(asMeshError(error), route)
      outcome = known.code
      throw known
    } finally {
      events.emit({ type: 'ask-ended', request: id, device: route.device, outcome })
    }
  }
}

function phaseOf(event: Extract<RemoteEvent, { type: 'queued' | 'loading' | 'reading' }>): AskEvent {
  switch (event.type) {
    case 'queued':
      return { type: 'phase', phase: 'queued', ahead: event.ahead }
    case 'loading':
      return { type: 'phase', phase: 'loading', fraction: event.fraction }
    case 'reading':
      return {
        type: 'phase',
        phase: 'reading',
        fraction: event.totalTokens === 0 ? 1 : event.doneTokens / event.totalTokens,
      }
  }
}
