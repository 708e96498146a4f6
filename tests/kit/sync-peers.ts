import { createCipheriv, createDecipheriv } from 'node:crypto'
import { createEvents, type DeviceId, type EventHub, type Random, type ScopeId } from '../../mesh/base/index.ts'
import { loadDeviceKey, type DeviceKey } from '../../mesh/identity/index.ts'
import type { SecretKey } from '../../mesh/seal/index.ts'
import type { Decoder, EpochKey, Keyring, SyncPorts, Writers, WritingEnd } from '../../mesh/sync/index.ts'
import { replyTo } from '../../mesh/sync/decoding.ts'
import { MeshError, silentLogger, throwIfAborted, type Clock, type Store } from '../../mesh/base/index.ts'
import { createMemoryStore } from './memory-store.ts'

/** A decoder in this very thread, for tests that need no watchdog. */
export const directDecoder: Decoder = {
  async decode(update, { signal } = {}) {
    throwIfAborted(signal)
    const reply = replyTo(update)
    if (reply.type === 'decoded') return reply.decoded
    throw new MeshError('malformed', reply.type === 'malformed' ? reply.reason : 'It answered nothing.')
  },
  async close() {},
}

/**
 * As `secretKey`, and done at once: the platform's own works in other threads, which
 * virtual time cannot wait for.
 */
function promptKey(key: Uint8Array): SecretKey {
  return {
    async seal(plain, context, random) {
      const nonce = random.bytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context)
      return new Uint8Array(Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]))
    },
    async open(box, context) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, 12)).setAAD(context)
        decipher.setAuthTag(box.subarray(-16))
        return new Uint8Array(Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]))
      } catch (error) {
        throw new MeshError('integrity', 'This was not sealed with that key.', { cause: error })
      }
    },
  }
}

/** The rights and keys of a make-believe mesh, changed at will by a test. */
export interface TestScopes {
  readonly changes: EventHub<void>
  writersOf(device: DeviceId): Writers
  keyringOf(device: DeviceId): Keyring
  /** Gives a device rights in a scope; keys come with `read`. */
  grant(device: DeviceId, scope: string, rights: readonly ('read' | 'write' | 'store')[]): void
  /** With `isAlone`, nobody who stays was there before. */
  revoke(device: DeviceId, scope: string, options?: { readonly isAlone?: boolean }): void
  /** A fresh key, given to all who may read now. */
  rotate(scope: string): Promise<void>
  /** Raw key bytes ever made, to scan stores and traffic for. */
  readonly secrets: Uint8Array[]
  /** Old epochs of a scope become readable for a device. */
  share(device: DeviceId, scope: string): void
}

interface TestEpoch extends EpochKey {
  readonly holders: Set<DeviceId>
}

/** Scopes whose keys come from the given chance; with a clock, that know when a right ended. */
export function createTestScopes(random: Random, clock?: Pick<Clock, 'now'>): TestScopes {
  const rights = new Map<string, Set<string>>()
  const wrote = new Set<string>()
  const epochs = new Map<string, TestEpoch[]>()
  const ends = new Map<string, WritingEnd>()
  const secrets: Uint8Array[] = []
  const changes = createEvents<void>((error) => {
    throw error
  })
  const may = (device: DeviceId, scope: string, right: string): boolean =>
    rights.get(`${scope}/${device}`)?.has(right) ?? false
  const writers: Writers = {
    mayRead: (device, scope) => may(device, scope, 'read'),
    mayWrite: (device, scope) => may(device, scope, 'write'),
    mayStore: (device, scope) => may(device, scope, 'store'),
    mayHaveWritten: (device, scope, epoch) => wrote.has(`${scope}/${device}/${epoch}`),
    endOf: (device, scope) => ends.get(`${scope}/${device}`),
  }
  return {
    changes,
    secrets,
    writersOf: () => writers,
    keyringOf: (device) => ({
      changes,
      async current(scope) {
        const newest = epochs.get(scope)?.at(-1)
        if (newest?.holders.has(device) !== true)
          throw new MeshError('unauthorized', 'This device holds no key for that.')
        return newest
      },
      get: (scope, id) => epochs.get(scope)?.find((one) => one.id === id && one.holders.has(device)),
    }),
    grant(device, scope, given) {
      rights.set(`${scope}/${device}`, new Set(given))
      const newest = epochs.get(scope)?.at(-1)
      if (given.includes('read')) newest?.holders.add(device)
      if (given.includes('write') && newest !== undefined) wrote.add(`${scope}/${device}/${newest.id}`)
      changes.emit()
    },
    revoke(device, scope, { isAlone = false } = {}) {
      rights.delete(`${scope}/${device}`)
      if (clock !== undefined) ends.set(`${scope}/${device}`, { at: clock.now(), isAlone })
      changes.emit()
    },
    share(device, scope) {
      for (const epoch of epochs.get(scope) ?? []) epoch.holders.add(device)
      changes.emit()
    },
    async rotate(scope) {
      const bytes = random.bytes(32)
      secrets.push(bytes.slice())
      const known = epochs.get(scope) ?? []
      const holders = new Set<DeviceId>()
      const id = Buffer.from(random.bytes(32)).toString('hex')
      for (const [name, given] of rights) {
        const [of, device] = [name.slice(0, name.lastIndexOf('/')), name.slice(name.lastIndexOf('/') + 1) as DeviceId]
        if (of !== scope) continue
        if (given.has('read')) holders.add(device)
        if (given.has('write')) wrote.add(`${scope}/${device}/${id}`)
      }
      epochs.set(scope, [...known, { id, generation: known.length + 1, key: promptKey(bytes), holders }])
      changes.emit()
    },
  }
}

/** What one device's documents stand on in a test. */
export async function syncPorts(given: {
  readonly scopes: TestScopes
  readonly random: Random
  readonly clock: Clock
  readonly store?: Store
  readonly decoder?: Decoder
  readonly key?: DeviceKey
}): Promise<SyncPorts & { readonly signer: DeviceKey }> {
  const { scopes, random, clock } = given
  const signer = given.key ?? (await loadDeviceKey(createMemoryStore(), random))
  return {
    clock,
    random,
    signer,
    store: given.store ?? createMemoryStore(),
    log: silentLogger,
    keyring: scopes.keyringOf(signer.id),
    writers: scopes.writersOf(signer.id),
    // of its own: a test may put another in its place
    decoder: given.decoder ?? { ...directDecoder },
  }
}

/** A scope by its name. */
export const scopeOf = (name: string): ScopeId => name as ScopeId
