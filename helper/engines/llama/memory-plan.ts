import { freemem, totalmem } from 'node:os'
import { MeshError } from '../../../mesh/base/index.ts'
import type { GgufHeader } from '../../models/index.ts'

const MIB = 1024 ** 2

/** Part of the free memory an engine may take; the rest is for everything else on the machine. */
const USABLE_FRACTION = 0.9
/** Cache that is made without looking further: enough for four full contexts of the first model. */
const CACHE_BYTES = 768 * MIB
/** Beyond that, a share of the free memory, but only until four can be answered at once. */
const CACHE_FRACTION = 0.1
const SEQUENCES_MOST = 8
const SEQUENCES_WANTED = 4
/** A shorter context than this makes a model useless for a conversation. */
const CONTEXT_LEAST_TOKENS = 2_048
/** Rows of logits the engine computes at once. */
const BATCH_ROWS = 512
const FIXED_BYTES = 64 * MIB

/** How a model is to be loaded on this machine. */
export interface MemoryPlan {
  readonly contextTokens: number
  readonly sequences: number
  readonly neededBytes: number
}

/**
 * Context and sequences that fit into the memory there is.
 * @throws MeshError `engine-memory` (detail `neededBytes`, `availableBytes`) when not even one short context fits.
 */
export function planMemory(header: GgufHeader, availableBytes: number, contextMostTokens: number): MemoryPlan {
  const weights = header.fileSizeBytes + FIXED_BYTES + header.vocabularyTokens * BATCH_ROWS * 4
  const perToken = Math.max(1, header.cacheBytesPerToken)
  const longest = Math.min(header.contextTokens, contextMostTokens)
  const shortest = Math.min(longest, CONTEXT_LEAST_TOKENS)
  const usable = availableBytes * USABLE_FRACTION
  const least = weights + shortest * perToken
  if (least > usable) {
    throw new MeshError(
      'engine-memory',
      `This model needs ${gigabytes(least)} of memory, and ${gigabytes(usable)} can be used on this device. Close other programs or choose a smaller model.`,
      { detail: { neededBytes: Math.ceil(least), availableBytes: Math.floor(usable) } },
    )
  }
  const room = usable - weights
  const contextTokens = Math.max(shortest, Math.min(longest, Math.floor(room / perToken)))
  const perSequence = contextTokens * perToken
  const ready = Math.floor(Math.min(room, CACHE_BYTES) / perSequence)
  const more = Math.min(SEQUENCES_WANTED, Math.floor(Math.min(room, availableBytes * CACHE_FRACTION) / perSequence))
  const sequences = Math.max(1, Math.min(SEQUENCES_MOST, Math.max(ready, more)))
  return { contextTokens, sequences, neededBytes: Math.ceil(weights + sequences * perSequence) }
}

/**
 * Memory a new process may take without making the machine swap, in bytes.
 * Limits of a container count; macOS names memory as used that it would give up.
 */
export function availableMemory(): number {
  const limit = process.constrainedMemory()
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  const free = process.platform === 'darwin' ? Math.max(freemem(), total / 2) : freemem()
  return Math.min(free, total)
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
