/**
 * What generates on a helper. Promises the mesh's engine contract over the models
 * of the library, whatever engines are behind it. Knows nothing of peers, of the
 * gateway or of who is asking.
 */
export { combineHosts } from './combine.ts'
export { type EngineKind, type EnginePorts, type HelperEngineHost } from './engine-kind.ts'
export {
  createLlamaHost,
  defaultThreads,
  findIsolation,
  startEngineProcess,
  type EngineLink,
  type EngineStart,
  type Isolation,
  type LlamaHostOptions,
} from './llama/index.ts'
export { createEngines } from './registry.ts'
