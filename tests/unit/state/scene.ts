import { asId, silentLogger, type DeviceId, type ModelId } from '../../../mesh/base/index.ts'
import type { Route } from '../../../mesh/route/index.ts'
import { createChats, type AnswerFigures, type Chats } from '../../../mesh/state/index.ts'
import { createVirtualClock, type VirtualClock } from '../../kit/clock.ts'
import { createMemoryStore, type MemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'

/** Figures of a finished answer, as an engine would give them. */
export const figures: AnswerFigures = {
  usage: { promptTokens: 12, cachedTokens: 0, completionTokens: 3 },
  firstTokenMs: 120.5,
  tokensPerSecond: 34.2,
  bytesSent: 230,
}

/** A route to one device. */
export const route: Route = {
  device: asId<DeviceId>('12D3KooWScene'),
  deviceName: 'Laptop',
  model: asId<ModelId>('smollm2-135m'),
  path: 'direct',
  reason: 'only-one',
  decidedAt: 1_700_000_000_000,
  candidates: [
    {
      device: asId<DeviceId>('12D3KooWScene'),
      deviceName: 'Laptop',
      model: asId<ModelId>('smollm2-135m'),
      verdict: 'chosen',
      score: { rttMs: 1.5, queueMs: 0, loadMs: 0, prefillMs: 80, decodeTokensPerSecond: 34, firstTokenMs: 81.5 },
    },
    {
      device: asId<DeviceId>('12D3KooWAnother'),
      deviceName: 'Phone',
      model: undefined,
      verdict: 'refused',
      refusal: 'no-engine',
    },
  ],
}

/** Chats over a memory store in virtual time. */
export interface Scene {
  readonly chats: Chats
  readonly store: MemoryStore
  readonly clock: VirtualClock
  /** Chats read anew from the same store, as after a reload or in another tab. */
  again(options?: { othersMayWrite?: () => boolean }): Promise<Chats>
}

/** Opens chats over a fresh store, or over the given one. */
export async function openScene(given?: { store?: MemoryStore; seed?: number }): Promise<Scene> {
  const store = given?.store ?? createMemoryStore()
  const clock = createVirtualClock()
  let seed = given?.seed ?? 1
  const open = (options?: { othersMayWrite?: () => boolean }): Promise<Chats> =>
    createChats({ store, clock, random: createSeededRandom(seed++), log: silentLogger, ...options })
  return { chats: await open(), store, clock, again: open }
}
