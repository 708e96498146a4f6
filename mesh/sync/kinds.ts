import * as z from 'zod/mini'
import { MeshError, SYNC_OPERATION_MAX_BYTES, SYNC_SETTING_AHEAD_MS, type Clock, type DeviceId } from '../base/index.ts'
import { bytes, decode, encode, text, whole } from '../wire/index.ts'
import type { DecodedUpdate } from './decoder.ts'
import type { DocumentKind, Operation } from './document.ts'
import type { ClockRange, UpdateEntry } from './update.ts'

/** An entry as it lies in the document, with whose it is. */
export interface StoredEntry {
  /** {@link entryKey}: unique for ever. */
  readonly key: string
  readonly bytes: Uint8Array
  readonly author: DeviceId
  readonly at: number
}

/** What a person sees of a document's entries. */
export interface View {
  readonly visible: ReadonlyMap<string, Operation>
  /** @returns ids whose value is another now */
  add(entry: StoredEntry): readonly string[]
  remove(key: string): readonly string[]
  /** The entry keys of this author that a new value of this id makes needless. */
  superseded(id: string, author: DeviceId): readonly string[]
  /** Entry keys that stand for an id. */
  keysOf(id: string): readonly string[]
}

/** A kind of document: where its entries lie, what they may be and how they are seen. A new kind is one of these and a line in {@link KINDS}. */
export interface KindDescriptor {
  readonly kind: DocumentKind
  /** Name of the Yjs root map. */
  readonly root: string
  /** @throws MeshError `malformed` */
  check(bytes: Uint8Array): void
  createView(clock: Clock): View
}

/** The id of an entry: its chain and its clock there. That it is made from them keeps everybody from another's. */
export function entryKey(chain: number, clock: number): string {
  return `${chain.toString(36)}-${clock.toString(36)}`
}

/** The place an entry's id names, or undefined for what is no such id. */
export function entryPlace(key: string): ClockRange | undefined {
  const dash = key.indexOf('-')
  const chain = readChain(key.slice(0, dash))
  const clock = readNumber(key.slice(dash + 1))
  return dash < 0 || chain === undefined || clock === undefined ? undefined : { chain, clock, count: 1 }
}

/** Asked for entry after entry of one chain, whose long number takes most of the time to read. */
let lastChain: { readonly text: string; readonly number: number } | undefined

function readChain(text: string): number | undefined {
  if (lastChain?.text === text) return lastChain.number
  const number = readNumber(text)
  if (number !== undefined) lastChain = { text, number }
  return number
}

/** A number as {@link entryKey} writes it and in no other way. */
function readNumber(text: string): number | undefined {
  const number = parseInt(text, 36)
  return number >= 0 && number.toString(36) === text ? number : undefined
}

/**
 * The entries of a foreign update, after looking at each of its structs: of this
 * chain, without a gap, each a plain entry of the kind's map under its own id, and
 * nothing deleted.
 * @throws MeshError `malformed`: its author broke the rules
 */
export function checkContent(kind: KindDescriptor, place: ClockRange, decoded: DecodedUpdate): UpdateEntry[] {
  const entries = decoded.structs.map(({ chain, clock, length, entry }, index) => {
    const expected = place.clock + index
    if (chain !== place.chain || clock !== expected || length !== 1 || entry === undefined)
      throw violation('holds something else than entries of its chain')
    if (entry.root !== kind.root) throw violation('writes outside of its document')
    if (entry.key !== entryKey(chain, clock)) throw violation('takes the place of another entry')
    if (entry.bytes.byteLength > SYNC_OPERATION_MAX_BYTES) throw violation('holds an entry that is too large')
    kind.check(entry.bytes)
    return { key: entry.key, bytes: entry.bytes }
  })
  if (entries.length !== place.count) throw violation('holds more or fewer entries than it says')
  if (decoded.deletes > 0) throw violation('deletes without saying so')
  return entries
}

function violation(what: string): MeshError {
  return new MeshError('malformed', `An update ${what}.`)
}

/** The value of a setting as it is stored: absent bytes unset it. */
const setting = z.object({
  key: text(256),
  stamp: whole(),
  bytes: z.nullable(bytes(SYNC_OPERATION_MAX_BYTES)),
})

/** A setting's entry. The stamp is hybrid time: the wall clock in ms, or one more than the stamp it overwrites. */
export function encodeSetting(key: string, stamp: number, value: Uint8Array | null): Uint8Array {
  return encode({ key, stamp, bytes: value })
}

function decodeSetting(given: Uint8Array): z.output<typeof setting> {
  return decode(given, setting, { maxBytes: SYNC_OPERATION_MAX_BYTES, what: 'A setting' })
}

const operations: KindDescriptor = {
  kind: 'operations',
  root: 'ops',
  check() {
    // what an operation means is for who reads it
  },
  createView() {
    const visible = new Map<string, Operation>()
    return {
      visible,
      add({ key, bytes: value, author, at }) {
        visible.set(key, { bytes: value, author, at })
        return [key]
      },
      remove: (key) => (visible.delete(key) ? [key] : []),
      superseded: () => [],
      keysOf: (id) => (visible.has(id) ? [id] : []),
    }
  },
}

interface Candidate extends StoredEntry {
  readonly stamp: number
  readonly value: Uint8Array | null
}

const settings: KindDescriptor = {
  kind: 'settings',
  root: 'values',
  check(value) {
    decodeSetting(value)
  },
  createView(clock) {
    const visible = new Map<string, Operation>()
    const candidates = new Map<string, Map<string, Candidate>>()
    const idOf = new Map<string, string>()

    /** The last writer wins: the highest stamp that is not from the future, then the highest key. */
    const settle = (id: string): readonly string[] => {
      const latest = clock.now() + SYNC_SETTING_AHEAD_MS
      let winner: Candidate | undefined
      for (const one of candidates.get(id)?.values() ?? []) {
        if (one.stamp <= latest && (winner === undefined || isLater(one, winner))) winner = one
      }
      const before = visible.get(id)
      if (winner === undefined || winner.value === null) visible.delete(id)
      else if (before?.bytes !== winner.value)
        visible.set(id, { bytes: winner.value, author: winner.author, at: winner.at })
      return visible.get(id) === before ? [] : [id]
    }

    return {
      visible,
      add(entry) {
        const { key: id, stamp, bytes: value } = decodeSetting(entry.bytes)
        const known = candidates.get(id) ?? new Map<string, Candidate>()
        known.set(entry.key, { ...entry, stamp, value })
        candidates.set(id, known)
        idOf.set(entry.key, id)
        return settle(id)
      },
      remove(key) {
        const id = idOf.get(key)
        if (id === undefined) return []
        idOf.delete(key)
        candidates.get(id)?.delete(key)
        return settle(id)
      },
      superseded: (id, author) =>
        [...(candidates.get(id)?.values() ?? [])].filter((one) => one.author === author).map((one) => one.key),
      keysOf: (id) => [...(candidates.get(id)?.keys() ?? [])],
    }
  },
}

/** Stamp of a value that is to win over all that are known under these entry keys. */
export function nextStamp(clock: Clock, known: Iterable<Uint8Array>): number {
  let stamp = clock.now()
  const latest = stamp + SYNC_SETTING_AHEAD_MS
  for (const value of known) {
    const other = decodeSetting(value).stamp
    if (other >= stamp && other <= latest) stamp = other + 1
  }
  return stamp
}

function isLater(one: Candidate, other: Candidate): boolean {
  return one.stamp === other.stamp ? one.key > other.key : one.stamp > other.stamp
}

/** Every kind of document. */
export const KINDS: Readonly<Record<DocumentKind, KindDescriptor>> = { operations, settings }
