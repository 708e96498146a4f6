import { combineHosts } from './combine.ts'
import type { EngineKind, EnginePorts, HelperEngineHost } from './engine-kind.ts'
import { llama } from './llama/index.ts'

/** Every engine a helper can run; of two that have a model, the first answers. */
export const ENGINE_KINDS: readonly EngineKind[] = [llama]

/** The engines of this helper as the mesh sees them: one host. */
export function createEngines(ports: EnginePorts): HelperEngineHost {
  return combineHosts(
    ENGINE_KINDS.map((kind) => kind.create({ ...ports, log: ports.log.child(kind.id) })),
    ports.log,
  )
}
