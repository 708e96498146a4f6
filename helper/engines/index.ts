/**
 * What generates on a helper. Promises the mesh's engine contract over the models
 * of the library, whatever engine is behind it. Knows nothing of peers, of the
 * gateway or of who is asking.
 */
export { createEngineHost, type EngineHostOptions, type HelperEngineHost } from './engine-host.ts'
export { forkEngine, type EngineLink } from './llama/index.ts'
export { defaultThreads } from './threads.ts'
