import {
  asMeshError,
  createEvents,
  MeshError,
  SYNC_BUDGET_CHAIN_BYTES,
  SYNC_BUDGET_OPERATION_BYTES,
  type DeviceId,
} from '../base/index.ts'
import type { Absences } from './absences.ts'
import type { Budgets } from './budgets.ts'
import { createChains, loadChains, sequenceOf } from './chains.ts'
import { compact, isRewriteDue, isSnapshotDue, saveSnapshot } from './compact.ts'
import { createContent } from './content.ts'
import type { Document, DocumentChange, DocumentName, JudgementChange, Vector } from './document.ts'
import { createDeclinedChains } from './declined.ts'
import { openDocumentLog } from './document-log.ts'
import { documentKey } from './envelope.ts'
import { readVerified, takeIn, type Received } from './intake.ts'
import { entryPlace, KINDS } from './kinds.ts'
import { takeHeads } from './heads.ts'
import { createLateComings } from './late.ts'
import { addedTo } from './log-growth.ts'
import { rankOf, timingOf } from './may-come.ts'
import { mendIfDamaged, showStranded, tellDamage } from './mending.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'
import type { Quarantines } from './quarantines.ts'
import { replay, replayHeldUp } from './replay.ts'
import type { Place, ReplicaState } from './replica-state.ts'
import { isComplete, nextBatch, type Batch, type Progress } from './serving.ts'
import type { Shares } from './shares.ts'
import { createSlowReading } from './slow-reading.ts'
import { openSnapshot } from './snapshots.ts'
import { createTelling } from './telling.ts'
import { createTurns } from './turns.ts'
import { createWaiting, personsBy } from './waiting.ts'
import { createWriter } from './writer.ts'

/** One document as this device keeps it, open or not. */
export interface Replica {
  readonly name: DocumentName
  readonly key: string
  vector(): Vector
  /** Up to which sequence a chain is held; 0 for none. */
  heldOf(chain: number): number
  digest(): string
  /** See {@link Received}. @throws as `readVerified` and `takeIn` */
  receive(envelopes: readonly Uint8Array[], via: DeviceId, options: Options): Promise<Received>
  /** See {@link nextBatch}. */
  next(progress: Progress, options: Options): Promise<Batch>
  isComplete(progress: Progress): boolean
  /** Chains that would not be taken from a device now, as was seen before: it need not send them. */
  declined(via: DeviceId): readonly number[]
  /** True when something that was not taken from a device would be taken now. */
  hasTakeable(via: DeviceId): boolean
  /** Tells now what this device holds of authors who may not write any more; else it is told soon. */
  tellEnds(options: Options): Promise<void>
  /** The envelope an operation came in: its chain and its place there. */
  placeOf(operation: string): { readonly chain: number; readonly sequence: number } | undefined
  /** When a device that may write first told that an operation is there, of an author who may not any more; see `Ends.rankOf`. */
  rankOf(operation: string): number
  /** @throws MeshError `storage-failed`, `storage-corrupt` */
  open(options: Options): Promise<Document>
  /** Keys came: reads what could not be read before. */
  keysChanged(): Promise<void>
  /** Compacts now, whatever its size. */
  compact(options: Options): Promise<void>
  /** Compacts now where something was erased since the log was last written anew: erased bytes leave the disk. */
  forgetErased(options: Options): Promise<void>
  /** Lets go of what waits in memory. */
  forgetWaiting(): void
  /** True while somebody has it open. */
  isOpen(): boolean
  /** About how much memory its content takes while it is open, in bytes; told without opening it. */
  weight(): number
  /** True while something of it is damaged here and did not come back from another device. */
  isDamaged(): boolean
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

/** Beyond {@link SyncPorts}. */
interface ReplicaPorts {
  readonly ports: SyncPorts
  readonly quarantines: Quarantines
  readonly place: Place
  readonly budgets: Budgets
  readonly absences: Absences
  readonly waitingTotals: Shares
  /** Nothing is done by itself any more once this is aborted. */
  readonly stopped: AbortSignal
  /** Told after envelopes became durable here. */
  readonly onStored: (replica: Replica, from: DeviceId, envelopes: Received['stored']) => void
  /** Told when entries of its log are found damaged. */
  readonly onDamaged: () => void
}

/** Reads a document's heads; its content is read when somebody opens it. */
export async function openReplica(name: DocumentName, given: ReplicaPorts, options: Options): Promise<Replica> {
  const { ports, onStored } = given
  const slow = createSlowReading(ports, given.stopped, () => {
    inTurn(() => readHeldUp(state)).catch((error: unknown) => {
      ports.log.warn('what was slow to read could not be read again', { reason: asMeshError(error).message })
    })
  })
  const state = await loadState(name, { ...given, slow }, options)
  const turns = createTurns()
  /** What is found damaged on the way is looked at behind the work that found it. */
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> =>
    turns.run(async () => {
      const value = await work()
      await mendIfDamaged(state, {})
      return value
    })
  let users = 0

  const compactIfDue = (): void => {
    if (!isSnapshotDue(state) && !isRewriteDue(state)) return
    turns
      .run(async () => {
        if (isRewriteDue(state)) await compact(state, {})
        else if (isSnapshotDue(state)) await saveSnapshot(state, {})
      })
      .catch((error: unknown) => {
        // what was in force stays; tried again with the next change
        ports.log.warn('a document could not be compacted', { reason: asMeshError(error).message })
      })
  }

  const judgements = createEvents<JudgementChange>((error) => {
    ports.log.error('a listener of a document failed', { error })
  })
  const stored = (from: DeviceId, envelopes: Received['stored']): void => {
    const told = envelopes.flatMap(({ head }) => head.ends ?? [])
    const judged = new Set([...told.map(({ chain }) => chain), ...state.chains.lastingEnds.takeChanged()])
    if (judged.size > 0) judgements.emit({ chains: judged })
    onStored(replica, from, envelopes)
    compactIfDue()
  }

  const readContent = async (given: Options): Promise<void> => {
    if (state.content !== undefined) return
    state.content = await loadContent(state, given)
    await mendIfDamaged(state, given)
    await showStranded(state, given)
    compactIfDue()
  }

  const writer = createWriter(state)

  const tellEnds = async (how: Options): Promise<void> => {
    if (!(await turns.run(() => telling.tell(how)))) return
    judgements.emit({})
    stored(ports.signer.id, [])
  }
  const telling = createTelling(state, writer, { tellSoon: () => tellEnds({}), stopped: given.stopped })
  const settleDamage = async (): Promise<void> => {
    try {
      await saveSnapshot(state, {})
    } catch (error) {
      ports.log.warn('a document with damaged entries could not be tidied up', { reason: asMeshError(error).message })
    }
  }

  const isDamaged = (): boolean => state.damaged > 0 || state.stranded.length > 0

  const documentOf = (): Document => {
    let open = true
    const inUse = <Value>(work: () => Promise<Value>): Promise<Value> =>
      turns.run(() => {
        if (!open) throw new MeshError('usage', 'This document was closed.')
        return work()
      })
    const announced = async <Value>(work: Promise<Value>): Promise<Value> => {
      const value = await work
      stored(ports.signer.id, [])
      return value
    }
    return {
      name,
      vector: () => state.chains.vector(),
      operations: () => state.content?.visible ?? new Map(),
      write: (entries, how = {}) => announced(inUse(() => writer.write(entries, how))),
      erase: (ids, how = {}) => announced(inUse(() => writer.erase(ids, how))),
      changes: state.changes,
      isDamaged,
      rankOf: (id) => rankOfEntry(id, state),
      timingOf(id) {
        const place = placeOf(id, state)
        return place === undefined ? 'before' : timingOf(place, state)
      },
      judgements,
      mayWrite: (author) => ports.writers.mayWrite(author, name.scope),
      close() {
        if (!open) return
        open = false
        users -= 1
        if (users > 0) return
        state.content = undefined
        slow.forget()
      },
    }
  }

  const replica: Replica = {
    name,
    key: state.key,
    vector: () => state.chains.vector(),
    heldOf: (chain) => state.chains.get(chain)?.sequence ?? 0,
    digest: () => state.chains.digest(),
    async receive(envelopes, via, how) {
      const verified = await readVerified(state, envelopes)
      const received = await turns.run(() => takeIn(state, verified, via, how))
      if (received.stored.length > 0) stored(via, received.stored)
      if (received.late > 0) telling.consider()
      return received
    },
    next: (progress, how) => inTurn(() => nextBatch(state, progress, how)),
    isComplete: (progress) => isComplete(state, progress),
    declined: (via) => state.declined.stillDeclined(via, state),
    hasTakeable: (via) => state.declined.hasTakeable(via, state),
    tellEnds,
    placeOf: (operation) => placeOf(operation, state),
    rankOf: (operation) => rankOfEntry(operation, state),
    open: (how) =>
      turns.run(async () => {
        await readContent(how)
        users += 1
        return documentOf()
      }),
    keysChanged: async () => {
      state.chains.lastingEnds.forget()
      await inTurn(async () => {
        await readHeldUp(state)
        await showStranded(state, {})
      })
      judgements.emit({})
      telling.consider()
    },
    compact: (how) => turns.run(() => compact(state, how)),
    forgetErased: (how) =>
      turns.run(async () => {
        if (state.unforgotten.erasing > 0) await compact(state, how)
      }),
    forgetWaiting() {
      state.waiting.clear()
    },
    isOpen: () => users > 0,
    weight: () =>
      state.chains.liveCount() * SYNC_BUDGET_OPERATION_BYTES +
      state.chains.all.size * SYNC_BUDGET_CHAIN_BYTES +
      state.log.rewrittenBytes() +
      state.unforgotten.bytes,
    isDamaged,
    idle: turns.idle,
  }
  if (isDamaged()) tellDamage(state)
  // it is told once: what is whole is written down as all there is
  if (state.damaged > 0 && state.stranded.length === 0) await settleDamage()
  telling.consider()
  return replica
}

function placeOf(operation: string, { chains }: ReplicaState): ReturnType<Replica['placeOf']> {
  const place = entryPlace(operation)
  const chain = place === undefined ? undefined : chains.get(place.chain)
  if (place === undefined || chain === undefined || place.clock >= chain.clock) return undefined
  return { chain: chain.number, sequence: sequenceOf(chain, place.clock) }
}

function rankOfEntry(operation: string, state: ReplicaState): number {
  const place = placeOf(operation, state)
  return place === undefined ? Infinity : rankOf(place, state)
}

async function loadState(
  name: DocumentName,
  {
    ports,
    quarantines,
    place,
    budgets,
    absences,
    waitingTotals,
    onDamaged,
    slow,
  }: Omit<ReplicaPorts, 'onStored' | 'stopped'> & Pick<ReplicaState, 'slow'>,
  options: Options,
): Promise<ReplicaState> {
  const key = documentKey(name)
  const log = await openDocumentLog(ports, key, options)
  const index = await log.part('index', options)
  const saved = index === undefined ? undefined : loadChains(key, index.bytes)
  // the log has all of it, and more than an earlier version saved of it
  const chains = saved ?? createChains()
  const through = (saved === undefined ? undefined : index?.through) ?? 0
  const heads = takeHeads(key, chains, await log.read(through, options))
  // they are none of what the chains have
  log.takeDamaged()
  const state: ReplicaState = {
    name,
    key,
    kind: KINDS[name.kind],
    ports,
    quarantines,
    log,
    place,
    budgets,
    chains,
    stranded: heads.stranded,
    damaged: heads.damaged + log.missingAtEnd,
    onDamaged,
    waiting: createWaiting(waitingTotals, personsBy(ports.writers)),
    late: createLateComings(
      {
        ...{ key, scope: name.scope },
        hasAny: (author) => state.chains.countOf(author) > 0,
        heldOf: (number) => state.chains.get(number)?.sequence ?? 0,
      },
      { ...ports, absences },
    ),
    declined: createDeclinedChains(),
    changes: createEvents<DocumentChange>((error) => {
      ports.log.error('a listener of a document failed', { error })
    }),
    content: undefined,
    slow,
    lastPosition: heads.lastPosition ?? through,
    snapshotBytes: 0,
    indexBytes: index?.bytes.byteLength ?? 0,
    snapshotAt: -Infinity,
    rewrittenAt: -Infinity,
    grown: heads.growth,
    unforgotten: addedTo(log.unforgotten(), heads.growth),
  }
  return state
}

async function loadContent(state: ReplicaState, options: Options): Promise<NonNullable<ReplicaState['content']>> {
  const { name, kind, chains, ports, log } = state
  const part = await log.part('content', options)
  const saved = part === undefined ? undefined : await openSnapshot(name, part.bytes, ports)
  state.snapshotBytes = part?.bytes.byteLength ?? 0
  const content = createContent(kind, chains, ports.clock, saved)
  state.slow.forget()
  const rest = await log.read(saved === undefined || part === undefined ? 0 : part.through, options)
  await replay({ ...state, content }, rest, options)
  // a snapshot of the heads alone, made while nobody had it open, does not spare reading this again
  if (rest.length > state.grown.envelopes) state.grown = { ...state.grown, envelopes: rest.length }
  if (saved !== undefined) await readHeldUp({ ...state, content })
  return content
}

/** Reads what was held up: for lack of a key that is there now, or of breath. */
async function readHeldUp(state: ReplicaState): Promise<void> {
  const { added, erased } = await replayHeldUp(state, {})
  if (added.size + erased.size > 0)
    state.changes.emit({ added: [...added], erased: [...erased], author: state.ports.signer.id })
}
