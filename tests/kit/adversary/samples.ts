import { COMPARE } from '../../../mesh/net/protocols/compare/messages.ts'
import { CONTROL } from '../../../mesh/net/protocols/control/messages.ts'
import { INFER } from '../../../mesh/net/protocols/infer/messages.ts'
import { JOIN } from '../../../mesh/net/protocols/join/messages.ts'
import { KEYS } from '../../../mesh/net/protocols/keys/messages.ts'
import { KNOCKS } from '../../../mesh/net/protocols/knocks/messages.ts'
import { LEDGER } from '../../../mesh/net/protocols/ledger/messages.ts'
import { SYNC } from '../../../mesh/net/protocols/sync/messages.ts'
import type { ProtocolShape } from '../../../mesh/net/protocol.ts'
import type { Adversary } from './adversary.ts'

/** What a well-formed caller of a protocol says: its first frame, then one it may say over and over. */
export interface Sample {
  first(adversary: Adversary): object
  next(adversary: Adversary, count: number): object
}

const capability = { kind: 'browser', models: [], load: { slots: 0, busy: 0, queued: 0 }, addresses: [] }
const scopeOf = ({ id }: Adversary): string => `person:${id.slice(-20).toLowerCase()}`

/**
 * Frames by protocol. A new protocol needs its line here, and with it inherits every
 * attack of the kit; a test says so when it has none.
 */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  [COMPARE.id]: {
    first: ({ certificate }) => ({
      type: 'waits',
      invitation: '0'.repeat(32),
      certificate,
      proof: new Uint8Array(64),
      path: 'direct',
      commitment: new Uint8Array(32),
    }),
    next: () => ({ type: 'open', nonce: new Uint8Array(32) }),
  },
  [CONTROL.id]: {
    first: ({ mesh }) => ({ type: 'hello', mesh, heads: [], capability, neighbours: [] }),
    next: (_, count) => ({ type: 'beat', n: count }),
  },
  [INFER.id]: {
    first: () => ({
      type: 'ask',
      id: 'm1',
      model: 'test-model',
      messages: [{ role: 'user', content: 'x'.repeat(200) }],
      sampling: { maxTokens: 1_000_000 },
      credit: 1024,
    }),
    next: () => ({ type: 'grant', frames: 1024 }),
  },
  [JOIN.id]: {
    first: (adversary) => adversary.knock(),
    next: (adversary) => adversary.knock(),
  },
  [KEYS.id]: {
    first: () => ({ type: 'ask', scope: 'mesh', epochs: ['0'.repeat(64)] }),
    next: () => ({ type: 'ask', scope: 'mesh', epochs: [] }),
  },
  [KNOCKS.id]: {
    first: () => ({ type: 'find', key: new Uint8Array(32) }),
    next: () => ({ type: 'find', key: new Uint8Array(32) }),
  },
  [LEDGER.id]: {
    first: () => ({ type: 'have', hashes: [] }),
    next: () => ({ type: 'next' }),
  },
  [SYNC.id]: {
    first: (adversary) => ({
      type: 'want',
      name: { id: 'attack', kind: 'operations', scope: scopeOf(adversary) },
      vector: [],
    }),
    next: (adversary, count) => ({
      type: 'want',
      name: { id: `attack-${String(count)}`, kind: 'operations', scope: scopeOf(adversary) },
      vector: [[1, count]],
    }),
  },
}

/** The protocols of {@link SAMPLES}. */
export const SHAPES: readonly ProtocolShape[] = [COMPARE, CONTROL, INFER, JOIN, KEYS, KNOCKS, LEDGER, SYNC]
