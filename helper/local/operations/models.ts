import * as z from 'zod'
import type { ModelRecord } from '../../../mesh/engine/index.ts'
import { operation, type TransferProgress } from '../operation.ts'

/** A model as scripts see it. */
export type ModelLine = Pick<ModelRecord, 'id' | 'sizeBytes' | 'sha256' | 'state'>

function describeModel(model: ModelRecord): ModelLine {
  const { id, sizeBytes, sha256, state } = model
  return { id, sizeBytes, sha256, state }
}

const named = z.object({ model: z.string().min(1).max(512) })

/** The models of this device; the one that answers is first. */
export const listModels = operation<Record<string, never>, never, ModelLine[]>({
  name: 'models-list',
  input: z.strictObject({}),
  run: (_input, { host }) => Promise.resolve(host.models.list().map(describeModel)),
})

/** Fetches a model and checks its hash. */
export const getModel = operation<{ model: string }, TransferProgress, ModelLine>({
  name: 'models-get',
  input: named,
  run: async (input, { host, signal, emit }) =>
    describeModel(await host.models.get(input.model, { signal, onProgress: emit })),
})

/** Makes a model the one that answers. */
export const useModel = operation<{ model: string }, never, ModelLine>({
  name: 'models-use',
  input: named,
  run: async (input, { host, signal }) => describeModel(await host.models.use(input.model, { signal })),
})

/** Deletes a model from this device. */
export const removeModel = operation<{ model: string }, never, { removed: string }>({
  name: 'models-remove',
  input: named,
  async run(input, { host, signal }) {
    await host.models.remove(input.model, { signal })
    return { removed: input.model }
  },
})
