/**
 * llama.cpp in a process of its own. Promises that a crash of the engine ends no
 * more than its requests, and that nothing is loaded that does not fit. Knows
 * nothing of the mesh, of networks or of who is asking.
 */
export { createCanaries, type Canaries } from './canary.ts'
export { forkEngine, type EngineLink } from './child.ts'
export { startLlamaEngine, type EngineOptions, type LlamaEngine } from './engine.ts'
export { availableMemory, planMemory, type MemoryPlan } from './memory-plan.ts'
export { type FromEngine, type LoadOrder, type ToEngine } from './protocol.ts'
