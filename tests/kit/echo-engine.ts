import { createEvents, MeshError, type ModelId } from '../../mesh/base/index.ts'
import type { EngineHost, GenerateEvent } from '../../mesh/engine/index.ts'

/** An engine that says the last message again, numbered, so many times; `stopped` once it was cut short. */
export function echoEngine(pieces: number): EngineHost & { readonly state: { stopped: boolean } } {
  const state = { stopped: false }
  return {
    state,
    models: () => [{ id: 'echo' as ModelId, sizeBytes: 1, sha256: '', contextTokens: 100, state: 'ready', addedAt: 1 }],
    load: () => ({ slots: 4, busy: 0, queued: 0 }),
    changes: createEvents<void>(() => undefined),
    async *generate(request, { signal }): AsyncGenerator<GenerateEvent> {
      yield { type: 'reading', doneTokens: 1, totalTokens: 1 }
      for (let index = 0; index < pieces; index++) {
        if (signal.aborted) {
          state.stopped = true
          throw new MeshError('aborted', 'Stopped.')
        }
        yield { type: 'text', text: `${request.messages.at(-1)?.content ?? ''}${String(index)} `, tokenCount: 1 }
        await new Promise((resolve) => setImmediate(resolve))
      }
      yield {
        type: 'end',
        finish: 'stop',
        usage: { promptTokens: 1, cachedTokens: 0, completionTokens: pieces },
        timings: { queueMs: 0, prefillMs: 0, firstTokenMs: 0, decodeMs: 0 },
      }
    },
  }
}
