import {
  asMeshError,
  MeshError,
  sortableId,
  throwIfAborted,
  type Clock,
  type EventHub,
  type Random,
  type RequestId,
} from './base/index.ts'
import type { AskRights } from './ask-rights.ts'
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
  readonly devices: () => readonly Omit<RoutableDevice, 'forbidden'>[]
  readonly rights: AskRights
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
    throwIfAborted(signal)
    const question = { model: route.model, messages: request.messages, sampling: request.sampling }
    if (route.path === 'self' && engines !== undefined) return engines.generate(question, { signal })
    return askDevice(links.connection(route.device), { ...question, id }, { clock }, { signal })
  }

  const routeOf = (request: AskRequest): Route => {
    const candidates = ports
      .devices()
      .map((device) => ({ ...device, forbidden: ports.rights.forbidden(device.id, request.through) }))
    return decideRoute(request, candidates, clock.now())
  }

  return async function* ask(request, { signal }) {
    throwIfAborted(signal)
    const id = sortableId(clock.now(), random) as RequestId
    const route = routeOf(request)
    yield { type: 'route', route }
    if (route.path !== 'self') yield { type: 'phase', phase: 'connecting' }
    // whoever reads the route may take a while: the rights are those of the moment of sending
    const right = ports.rights.watch(route.device, request.through)
    const either = AbortSignal.any([signal, right.signal])
    events.emit({ type: 'ask-started', request: id, device: route.device, model: route.model })
    let outcome = 'aborted'
    let bytesSent = 0
    try {
      for await (const event of answerOf(route, request, id, either)) {
        // what was on its way when a right was taken away is not accepted any more
        throwIfAborted(right.signal)
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
      // a link that is cut because one of the two was removed is no device that went away
      const known = asMeshError(right.signal.aborted ? right.signal.reason : error)
      outcome = known.code
      throw known
    } finally {
      right.end()
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
