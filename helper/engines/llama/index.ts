/**
 * llama.cpp in a process of its own. Promises that a crash of the engine ends no
 * more than its requests, and that nothing is loaded that does not fit. Knows
 * nothing of the mesh, of networks or of who is asking.
 */
import type { EngineKind } from '../engine-kind.ts'
import { createLlamaHost } from './host.ts'

export { startEngineProcess, type EngineLink, type EngineStart } from './child.ts'
export { createLlamaHost, type LlamaHostOptions } from './host.ts'
export { findIsolation, type Isolation } from './isolation.ts'
export { type FromEngine, type ToEngine } from './protocol.ts'
export { defaultThreads } from './threads.ts'

/** llama.cpp as a helper's engine. */
export const llama: EngineKind = { id: 'llama', create: createLlamaHost }
