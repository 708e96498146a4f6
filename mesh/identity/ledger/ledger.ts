import * as z from 'zod/mini'
import {
  asId,
  asMeshError,
  createEvents,
  LEDGER_ENTRY_MAX_BYTES,
  LEDGER_HEADS_MAX,
  LEDGER_WAITING_MAX,
  MeshError,
  throwIfAborted,
  type ErrorCode,
  type EntryHash,
  type MeshId,
  type PersonId,
} from '../../base/index.ts'
import { bytes, decode, encode, whole } from '../../wire/index.ts'
import type { SignedCertificate } from './certificate.ts'
import { createCourt } from './court.ts'
import { openEntry, signEntry, type EntryFields, type LedgerEntry } from './entry.ts'
import { fold } from './fold.ts'
import { createGraph, inCommonOrder, type GraphNode } from './graph.ts'
import { createIntake, type Intaken } from './intake.ts'
import type { Cancellable, Ledger, LedgerChange, LedgerPorts, TakeResult } from './ledger-types.ts'
import { hasPlace } from './past.ts'
import { RULES, type RuleName } from './rule-names.ts'
import type { LedgerState } from './state.ts'
import { openLedgerLog } from './ledger-log.ts'
import { createWaiting } from './waiting.ts'

/** Entries verified at once: enough to keep the platform's threads busy, few enough to stop between. */
const VERIFIED_AT_ONCE = 64

const record = z.object({ entry: bytes(LEDGER_ENTRY_MAX_BYTES), seenAt: whole() })
/** What was left out is asked for again after this long, in ms. */
const ASK_AGAIN_MS = 60 * 60_000
const RECORD_MAX_BYTES = LEDGER_ENTRY_MAX_BYTES + 64

/** What a new mesh begins with. */
export interface NewMesh {
  readonly name: string
  readonly person: { readonly id: PersonId; readonly name: string }
  /** Of this device. */
  readonly certificate: SignedCertificate
}

/** Makes a mesh with this device as its only one and its person as owner. Durable when it resolves. */
export async function createLedger(ports: LedgerPorts, mesh: NewMesh, options: Cancellable = {}): Promise<Ledger> {
  const fields: EntryFields = { type: 'create', ...mesh, admissions: 'consented' }
  const create = await signEntry(ports.key, fields, { parents: [], at: ports.clock.now() }, options)
  const ledger = await loadLedger(ports, asId<MeshId>(create.hash), options)
  await ledger.take([create.bytes], options)
  return ledger
}

/**
 * The ledger of a mesh as this device has it, empty when it has none of it yet. A
 * stored entry that cannot be read is told in `damage()` and the log, and the rest is
 * loaded; it comes back with the next exchange.
 */
export async function loadLedger(ports: LedgerPorts, mesh: MeshId, options: Cancellable = {}): Promise<Ledger> {
  const { clock, log, key } = ports
  const disk = await openLedgerLog(ports, mesh, options)
  const graph = createGraph()
  const court = createCourt(graph)
  const waiting = createWaiting()
  const seenAt = new Map<EntryHash, number>()
  /** What was not taken, and when; the oldest is forgotten. */
  const leftOut = new Map<EntryHash, number>()
  const changes = createEvents<LedgerChange>((error) => {
    log.error('a listener of the ledger failed', { error })
  })
  let corrupt = 0
  // what is visible is durable: places from here on are on their way to the disk
  let visible = 0
  let heads: readonly EntryHash[] = []
  let state: LedgerState | undefined
  // one change after another: the second links what the first added
  let turn: Promise<unknown> = Promise.resolve()

  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  const foldNow = (): LedgerState =>
    fold({
      mesh,
      nodes: graph.nodes,
      verdicts: court.verdict(),
      isPossible: (node) => court.judgedFirst(node).rule === undefined,
      personOf: (node) => court.judgedFirst(node).person,
    })
  const stateNow = (): LedgerState => (state ??= foldNow())
  // looked at in the middle of a change, the state that is shown stays the one before it
  const intake = createIntake({
    ...{ graph, court, waiting, clock },
    stateNow: () => (graph.size === visible ? stateNow() : foldNow()),
  })

  const commit = (): void => {
    visible = graph.size
    heads = graph.heads()
    state = undefined
  }

  const persist = async (added: readonly LedgerEntry[], signal: AbortSignal | undefined): Promise<void> => {
    const now = clock.now()
    const stored = new Set(waiting.all().flatMap(({ entry, isStored }) => (isStored ? [entry.hash] : [])))
    const fresh = added.filter(({ hash }) => !stored.has(hash))
    if (fresh.length > 0) {
      await disk.append(
        fresh.map((entry) => encode({ entry: entry.bytes, seenAt: now })),
        { signal },
      )
    }
    for (const { hash } of fresh) seenAt.set(hash, now)
  }

  const noteLeftOut = (hash: EntryHash): void => {
    leftOut.delete(hash)
    leftOut.set(hash, clock.now())
    const [oldest] = leftOut.keys()
    if (leftOut.size > LEDGER_WAITING_MAX && oldest !== undefined) leftOut.delete(oldest)
  }

  /** Adds, writes, and only then shows. Nothing of it stays when the disk does not take it. */
  const addDurably = async (incoming: readonly LedgerEntry[], signal: AbortSignal | undefined): Promise<Intaken> => {
    const before = stateNow()
    const size = graph.size
    const result = intake.add(incoming)
    try {
      await persist(result.added, signal)
    } catch (error) {
      intake.undo(size)
      throw error
    }
    const out = new Set([...result.added.map(({ hash }) => hash), ...result.refused.keys(), ...result.deferred])
    for (const hash of out) waiting.delete(hash)
    for (const hash of [...result.refused.keys(), ...result.deferred]) noteLeftOut(hash)
    for (const entry of incoming) if (!out.has(entry.hash)) waiting.add({ entry, isStored: false })
    if (result.added.length > 0) {
      commit()
      changes.emit({ added: result.added, state: stateNow(), before })
    }
    return result
  }

  const open = async (signed: Uint8Array): Promise<LedgerEntry> => {
    const entry = await openEntry(signed, mesh)
    if (entry.fields.type === 'create' && asId<MeshId>(entry.hash) !== mesh)
      throw new MeshError('integrity', 'This is the beginning of another mesh.', { fault: 'peer' })
    return entry
  }

  const openAll = async (
    list: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<(LedgerEntry | MeshError)[]> => {
    const opened: (LedgerEntry | MeshError)[] = []
    for (let start = 0; start < list.length; start += VERIFIED_AT_ONCE) {
      throwIfAborted(signal)
      const some = list.slice(start, start + VERIFIED_AT_ONCE)
      opened.push(
        ...(await Promise.all(some.map((signed) => open(signed).catch((error: unknown) => asMeshError(error))))),
      )
    }
    return opened
  }

  const take = async (list: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<TakeResult> => {
    const opened = await openAll(list, signal)
    const fresh = new Map<EntryHash, LedgerEntry>()
    for (const entry of opened) {
      if (!(entry instanceof MeshError) && graph.find(entry.hash) === undefined) fresh.set(entry.hash, entry)
    }
    const { added, refused, deferred } = await addDurably([...fresh.values()], signal)
    return {
      added: added.map(({ hash }) => hash),
      waiting: waiting.size,
      deferred,
      refused: opened.flatMap((entry, index) => {
        if (entry instanceof MeshError) return [{ index, code: entry.code, reason: entry.message }]
        const rule = refused.get(entry.hash)
        return rule === undefined ? [] : [{ index, code: codeOf(rule), reason: RULES[rule] }]
      }),
    }
  }

  const append = async (draft: EntryFields, signal: AbortSignal | undefined): Promise<LedgerEntry> => {
    if (heads.length === 0) throw new MeshError('usage', 'This device does not have the ledger of this mesh yet.')
    const before = stateNow()
    const entry = await signDraft(draft, signal)
    const size = graph.size
    const node = graph.add(entry)
    const { rule } = court.add(node)
    if (rule !== undefined) {
      intake.undo(size)
      throw new MeshError(codeOf(rule), RULES[rule], { detail: { rule } })
    }
    const refusal = intake.refusalOf(node)
    if (refusal !== undefined) {
      intake.undo(size)
      // nothing is acknowledged that the others would not take
      throw new MeshError('busy', REFUSALS[refusal])
    }
    try {
      await persist([entry], signal)
    } catch (error) {
      intake.undo(size)
      throw error
    }
    intake.settled()
    commit()
    changes.emit({ added: [entry], state: stateNow(), before })
    return entry
  }

  const nextParents = (): EntryHash[] =>
    heads
      .flatMap((head) => graph.find(head) ?? [])
      .sort((a, b) => inCommonOrder(b, a))
      .slice(0, LEDGER_HEADS_MAX)
      .map((node) => node.entry.hash)

  const signDraft = async (draft: EntryFields, signal: AbortSignal | undefined): Promise<LedgerEntry> => {
    try {
      return await signEntry(key, draft, { parents: nextParents(), at: clock.now(), mesh }, { signal })
    } catch (error) {
      if (!(error instanceof MeshError) || (error.code !== 'malformed' && error.code !== 'integrity')) throw error
      throw new MeshError('usage', `This cannot be written into the ledger: ${error.message}`, { cause: error })
    }
  }

  const readStored = async (stored: Uint8Array): Promise<LedgerEntry | undefined> => {
    try {
      const fields = decode(stored, record, { maxBytes: RECORD_MAX_BYTES, what: 'A stored ledger entry' })
      const entry = await open(fields.entry)
      // written twice after damage: the first time counts
      if (!seenAt.has(entry.hash)) seenAt.set(entry.hash, fields.seenAt)
      return entry
    } catch (error) {
      corrupt += 1
      const damage = new MeshError('storage-corrupt', 'A stored entry of the ledger cannot be read.', { cause: error })
      log.error(damage.message, { code: damage.code, mesh, error })
      return undefined
    }
  }

  const load = async (signal: AbortSignal | undefined): Promise<void> => {
    const { records: stored, damaged } = await disk.read({ signal })
    corrupt += damaged
    const entries = new Map<EntryHash, LedgerEntry>()
    for (let start = 0; start < stored.length; start += VERIFIED_AT_ONCE) {
      throwIfAborted(signal)
      for (const entry of await Promise.all(stored.slice(start, start + VERIFIED_AT_ONCE).map(readStored)))
        if (entry !== undefined) entries.set(entry.hash, entry)
    }
    const { refused } = intake.add([...entries.values()], { isOwn: true })
    commit()
    const held = [...entries.values()].filter(({ hash }) => graph.find(hash) === undefined && !refused.has(hash))
    if (refused.size > 0) await leaveOut(refused, held, signal)
    for (const entry of held) waiting.add({ entry, isStored: true })
  }

  /**
   * An earlier version kept what is void. What nothing links goes from the disk; the rest proves what links it, and
   * what is held until that comes again which it links is not written a second time then.
   */
  const leaveOut = async (
    refused: ReadonlyMap<EntryHash, RuleName>,
    held: readonly LedgerEntry[],
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const kept = [...graph.nodes.map(({ entry }) => entry), ...held].map((entry) =>
      encode({ entry: entry.bytes, seenAt: seenAt.get(entry.hash) ?? 0 }),
    )
    log.info('void entries of the ledger were taken off the disk', { mesh, entries: refused.size })
    await disk.replace(kept, { signal })
  }

  const shown = (hash: EntryHash): GraphNode | undefined => {
    const node = graph.find(hash)
    return node !== undefined && node.place < visible ? node : undefined
  }

  await load(options.signal)

  return {
    mesh,
    changes,
    state: stateNow,
    heads: () => heads,
    nextParents,
    entries: () =>
      graph.nodes
        .slice(0, visible)
        .sort(inCommonOrder)
        .map((node) => node.entry),
    entry: (hash) => shown(hash)?.entry,
    saw(hash, ancestor) {
      const [node, seen] = [shown(hash), shown(ancestor)]
      return node !== undefined && seen !== undefined && (node === seen || hasPlace(node.past, seen.place))
    },
    append: (draft, appendOptions = {}) => inTurn(() => append(draft, appendOptions.signal)),
    take: (list, takeOptions = {}) => inTurn(() => take(list, takeOptions.signal)),
    missingFor: (known) =>
      graph
        .missingFor(known)
        .filter((node) => node.place < visible)
        .map((node) => node.entry.bytes),
    wanted() {
      const linked = waiting.all().flatMap(({ entry }) => entry.parents)
      return [...new Set(linked)].filter((hash) => shown(hash) === undefined && !waiting.has(hash))
    },
    wasLeftOut(hash) {
      const at = leftOut.get(hash)
      return at !== undefined && Math.abs(clock.now() - at) < ASK_AGAIN_MS
    },
    receivedAt: (hash) => (shown(hash) === undefined ? undefined : seenAt.get(hash)),
    damage: () => ({ corrupt, waiting: waiting.size }),
  }
}

const REFUSALS = {
  entries: 'Your devices changed the mesh very often of late. Try again tomorrow.',
  devices: 'This person has as many devices as one may have. Remove one that is not used any more.',
  keys: 'That person was given keys very often of late. It is tried again by itself.',
} as const

/** What a rule is called among the codes. */
function codeOf(rule: RuleName): ErrorCode {
  switch (rule) {
    case 'unknown-type':
      return 'unsupported'
    case 'unknown-subject':
      return 'usage'
    case 'removed':
      return 'removed'
    case 'not-admitted':
      return 'not-admitted'
    case 'not-allowed':
    case 'lost-support':
    case 'not-the-recovery-key':
    case 'no-consent':
    case 'removal-first':
    case 'demotion-first':
      return 'unauthorized'
    case 'already-there':
    case 'already-removed':
    case 'first-use-wins':
    case 'first-admission-wins':
    case 'invitation-not-open':
    case 'keeps-an-owner':
    case 'wrong-generation':
      return 'conflict'
  }
}
