import * as z from 'zod/mini'
import {
  createEvents,
  MeshError,
  SYNC_DOCUMENTS_OWN_MAX,
  SYNC_DOCUMENTS_PER_PERSON_MAX,
  wholeRecords,
  type DeviceId,
  type EventSource,
} from '../base/index.ts'
import { decode, deviceId, encode, whole } from '../wire/index.ts'
import type { DocumentName } from './document.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'

const PREFIX = 'sync/name/'

/**
 * The documents this device keeps: only what holds an envelope that was verified is
 * named here. Each counts against who wrote its first envelope, so that nobody uses
 * up another's places; what this device itself writes always has one.
 */
export interface NameList {
  has(key: string): boolean
  get(key: string): DocumentName | undefined
  all(): readonly DocumentName[]
  /** Keys named by an earlier version, which named what was only offered too. */
  unsure(): readonly string[]
  /** True when a document whose first envelope is of this author has a place. */
  hasPlaceFor(author: DeviceId): boolean
  /** Names a document, before its first envelope is written. @throws MeshError `too-large`, or of the store */
  claim(name: DocumentName, author: DeviceId, options: Options): Promise<void>
  /** It holds something, whoever wrote it first. @throws MeshError of the store */
  confirm(key: string, options: Options): Promise<void>
  /** It holds something and was named: that was damaged. @throws MeshError of the store */
  restore(name: DocumentName, options: Options): Promise<void>
  /** It holds nothing. @throws MeshError of the store */
  forget(key: string, options: Options): Promise<void>
  /** When it was first seen that nobody reads it any more, ms since 1970. */
  overSince(key: string): number | undefined
  /** Notes that; undefined takes it back. @throws MeshError of the store */
  noteOver(key: string, at: number | undefined, options: Options): Promise<void>
  /** There may be a place again. */
  readonly places: EventSource<void>
}

interface Named {
  readonly name: DocumentName
  /** Null: of an earlier version, counted against nobody. Undefined: it may hold nothing. */
  readonly by: DeviceId | null | undefined
  readonly overSince: number | undefined
}

const saved = z.extend(documentName, { by: z.optional(z.nullable(deviceId)), overSince: z.optional(whole()) })

/** The list of this device's store. */
export async function loadNames(
  { store, writers, signer, log }: Pick<SyncPorts, 'store' | 'writers' | 'signer' | 'log'>,
  options: Options,
): Promise<NameList> {
  const names = new Map<string, Named>()
  /** Documents by the device that wrote their first envelope. */
  const counts = new Map<DeviceId, number>()
  const count = (by: Named['by'], difference: 1 | -1): void => {
    if (by === null || by === undefined) return
    const left = (counts.get(by) ?? 0) + difference
    if (left > 0) counts.set(by, left)
    else counts.delete(by)
  }
  const places = createEvents<void>((error) => {
    log.error('a listener of the list of documents failed', { error })
  })
  for (const { value } of wholeRecords(await store.list(PREFIX, options), log)) {
    const { by, overSince, ...name } = decode(value, saved, { maxBytes: 1_024, what: 'The name of a document' })
    names.set(documentKey(name), { name, by, overSince })
    count(by, 1)
  }

  const personOf = (device: DeviceId): string | undefined => writers.personOf?.(device)

  /**
   * Devices of the own person each for itself, others by their person, and those that nobody knows as one: devices
   * are had for nothing, people are not.
   */
  const payerOf = (device: DeviceId): { readonly id: string; readonly max: number } => {
    const person = personOf(device)
    return device === signer.id || person === personOf(signer.id)
      ? { id: device, max: SYNC_DOCUMENTS_OWN_MAX }
      : { id: person ?? '', max: SYNC_DOCUMENTS_PER_PERSON_MAX }
  }

  const hasPlaceFor = (author: DeviceId): boolean => {
    if (author === signer.id || names.size < SYNC_DOCUMENTS_PER_PERSON_MAX) return true
    const payer = payerOf(author)
    let taken = 0
    for (const [device, count] of counts) if (payerOf(device).id === payer.id) taken += count
    return taken < payer.max
  }

  const put = async (key: string, named: Named, how: Options): Promise<void> => {
    const { name, by, overSince } = named
    const record = { ...name, ...(by === undefined ? {} : { by }), ...(overSince === undefined ? {} : { overSince }) }
    await store.put(PREFIX + key, encode(record), how)
    if (!names.has(key)) count(by, 1)
    names.set(key, named)
  }

  return {
    places,
    has: (key) => names.has(key),
    get: (key) => names.get(key)?.name,
    all: () => [...names.values()].map(({ name }) => name),
    unsure: () => [...names].flatMap(([key, { by }]) => (by === undefined ? [key] : [])),
    hasPlaceFor,
    async claim(name, author, how) {
      const key = documentKey(name)
      if (names.has(key)) return
      if (!hasPlaceFor(author)) throw new MeshError('too-large', 'Whoever wrote this has too many documents here.')
      await put(key, { name, by: author, overSince: undefined }, how)
    },
    async confirm(key, how) {
      const named = names.get(key)
      if (named !== undefined && named.by === undefined) await put(key, { ...named, by: null }, how)
    },
    async restore(name, how) {
      const key = documentKey(name)
      if (!names.has(key)) await put(key, { name, by: null, overSince: undefined }, how)
    },
    async forget(key, how) {
      const named = names.get(key)
      if (named === undefined) return
      names.delete(key)
      count(named.by, -1)
      await store.delete(PREFIX + key, how)
      places.emit()
    },
    overSince: (key) => names.get(key)?.overSince,
    async noteOver(key, at, how) {
      const named = names.get(key)
      if (named !== undefined && named.overSince !== at) await put(key, { ...named, overSince: at }, how)
    },
  }
}
