import * as z from 'zod'
import { asId, MeshError, type ModelId } from '../../../mesh/base/index.ts'
import type { FinishReason, Timings, Usage } from '../../../mesh/engine/index.ts'
import type { AskEvent, Route } from '../../../mesh/route/index.ts'
import { findDevice } from '../find-named.ts'
import { operation } from '../operation.ts'

/** Longest question taken from the command line, in characters. */
const TEXT_MAX = 200_000

/** What is told while the answer comes. */
export type AskProgress = Exclude<AskEvent, { type: 'end' }>

/** A whole answer. `device` is a peer id. */
export interface AskResult {
  readonly text: string
  readonly device: string
  readonly model: string
  readonly route: Route
  readonly finish: FinishReason
  readonly usage: Usage
  readonly timings: Timings
}

interface AskInput {
  readonly text: string
  readonly device?: string | undefined
  readonly model?: string | undefined
}

/** Asks the mesh one question. */
export const ask = operation<AskInput, AskProgress, AskResult>({
  name: 'ask',
  input: z.object({
    text: z.string().min(1).max(TEXT_MAX),
    device: z.string().max(200).optional(),
    model: z.string().min(1).max(128).optional(),
  }),
  async run(input, { host, signal, emit }) {
    const device = input.device === undefined ? undefined : findDevice(host.mesh.devices(), input.device).id
    const model = input.model === undefined ? undefined : asId<ModelId>(input.model)
    const events = host.mesh.ask(
      { messages: [{ role: 'user', content: input.text }], model, device, sampling: {} },
      { signal },
    )
    let route: Route | undefined
    let text = ''
    for await (const event of events) {
      if (event.type === 'end') {
        if (route === undefined) break
        return {
          text,
          device: route.device,
          model: route.model,
          route,
          finish: event.finish,
          usage: event.usage,
          timings: event.timings,
        }
      }
      if (event.type === 'route') route = event.route
      if (event.type === 'text') text += event.text
      emit(event)
    }
    throw new MeshError('bug', 'The answer ended without saying so.')
  },
})
