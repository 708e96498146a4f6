import { createHash } from 'node:crypto'
import type { ModelSources } from '../../helper/models/index.ts'
import type { ModelOffer } from '../../helper/models/index.ts'

/** What a stand-in for a package source gives, and how it fails. */
export interface SourcePlan {
  readonly bytes: Uint8Array
  /** After so many bytes the line breaks. */
  breakAfter?: number | undefined
  readonly chunkBytes?: number
  /** Runs before each chunk: a place to wait or to abort. */
  beforeChunk?: ((receivedBytes: number) => Promise<void> | void) | undefined
  /** How many bytes were there already, one entry for each try. */
  readonly resumedAt: number[]
}

/** The offer of a model that only the stand-in package source has. */
export function packageOffer(bytes: Uint8Array, change: Partial<ModelOffer> = {}): ModelOffer {
  return {
    id: 'test-model',
    title: 'Test model',
    licence: 'MIT',
    memoryBytes: 0,
    known: { sizeBytes: bytes.byteLength, sha256: sha256(bytes) },
    sources: [{ source: 'python-package', name: 'test-model', version: '1', wheelBytes: 1, member: 'm.gguf' }],
    ...change,
  }
}

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Sources of which the package source follows the plan; the file source is the real one given. */
export function plannedSources(real: ModelSources, plan: SourcePlan, breakWith: () => Error): ModelSources {
  return {
    ...real,
    'python-package': {
      network: true,
      label: () => 'a planned source',
      async fetch(_, context) {
        const expected = context.known ?? { sizeBytes: plan.bytes.byteLength, sha256: sha256(plan.bytes) }
        const part = await context.openPart('planned', expected.sizeBytes)
        plan.resumedAt.push(part.receivedBytes)
        try {
          while (part.receivedBytes < plan.bytes.byteLength) {
            await plan.beforeChunk?.(part.receivedBytes)
            context.signal.throwIfAborted()
            if (plan.breakAfter !== undefined && part.receivedBytes >= plan.breakAfter) throw breakWith()
            await part.append(plan.bytes.subarray(part.receivedBytes, part.receivedBytes + (plan.chunkBytes ?? 65_536)))
            context.onProgress(part.receivedBytes, expected.sizeBytes)
          }
        } catch (error) {
          await part.close()
          throw error
        }
        return { part, expected }
      },
    },
  }
}
