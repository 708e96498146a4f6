import { MeshError, SYNC_ENDS_MAX, SYNC_SETTING_AHEAD_MS } from '../base/index.ts'
import { hasRoomFor } from './admit.ts'
import { commit, takeBack } from './commit.ts'
import { piecesOf, type Piece } from './compose.ts'
import type { Content } from './content.ts'
import type { Document } from './document.ts'
import { chainOf, newRun, NO_ENVELOPE, sealEnvelope } from './envelope.ts'
import { CAME_LATE, markedEnd, MARKED_ENDS_MAX } from './ends.ts'
import type { EnvelopePlace } from './erasings.ts'
import { encodeSetting, entryKey, entryPlace } from './kinds.ts'
import type { UntoldEnds } from './may-come.ts'
import type { Options } from './options.ts'
import type { EpochKey } from './ports.ts'
import type { ReplicaState, Staged } from './replica-state.ts'
import { encodeEntries, type UpdateEntry } from './update.ts'

/** This device's own writing into a document. In the document's turn. */
export interface Writer {
  write(entries: Parameters<Document['write']>[0], options: Options): Promise<string[]>
  erase(ids: readonly string[], options: Options): Promise<void>
  /** Tells these ends of others' chains. */
  tell(ends: UntoldEnds, options: Options): Promise<void>
}

interface OwnChain {
  readonly run: Uint8Array
  readonly chain: number
  readonly epoch: string
  /** Sequence of the last envelope that was signed in it. */
  last: number
}

/** What an envelope of this device is to hold: a piece of a change, or ends of others' chains. */
type Told = Piece & { readonly ends?: readonly EnvelopePlace[]; readonly at?: number }

/** What this device wrote itself is known. */
type OwnStaged = Staged & { readonly entries: readonly UpdateEntry[] }

/**
 * A writer with a chain of its own, begun at its first write and whenever the key is
 * another, or what is held of the chain is less than was signed. Ends are told in a
 * chain apart, so that they can be given before everything else.
 */
export function createWriter(state: ReplicaState): Writer {
  const { ports, name, key, kind } = state
  const own = new Map<'entries' | 'ends', OwnChain>()

  const chainFor = (what: 'entries' | 'ends', epoch: EpochKey): OwnChain => {
    const known = own.get(what)
    // never two different envelopes for one place: a chain that damage cut is not gone on with
    if (known?.epoch === epoch.id && known.last === (state.chains.get(known.chain)?.sequence ?? 0)) return known
    const run = newRun(ports.random)
    const chain = chainOf({ document: key, author: ports.signer.id, run, epoch: epoch.id })
    const begun = { run, epoch: epoch.id, chain, last: 0 }
    own.set(what, begun)
    return begun
  }

  const seal = async (piece: Told, epoch: EpochKey, options: Options): Promise<OwnStaged> => {
    const mine = chainFor(piece.ends === undefined ? 'entries' : 'ends', epoch)
    const { run, chain: number } = mine
    const chain = state.chains.get(number)
    // what no other device would take is not acknowledged here
    if (chain === undefined && !hasRoomFor(ports.signer.id, state))
      throw new MeshError('too-large', 'This device has begun to write here too often for the others to take more.')
    const from = chain?.clock ?? 0
    const entries: UpdateEntry[] = piece.values.map((bytes, index) => ({ key: entryKey(number, from + index), bytes }))
    const envelope = await sealEnvelope(
      {
        document: key,
        author: ports.signer.id,
        run,
        epoch: epoch.id,
        sequence: (chain?.sequence ?? 0) + 1,
        from,
        count: entries.length,
        at: piece.at ?? ports.clock.now(),
        previous: chain?.tip ?? NO_ENVELOPE,
        erases: piece.erases,
        ends: piece.ends,
      },
      encodeEntries(kind.root, number, from, entries),
      epoch.key,
      ports,
      options,
    )
    mine.last = envelope.head.sequence
    return { envelope, entries, via: ports.signer.id, undo: state.chains.take(envelope, 0) }
  }

  const append = async (pieces: readonly Told[], options: Options): Promise<string[]> => {
    if (!ports.writers.mayWrite(ports.signer.id, name.scope))
      throw new MeshError('unauthorized', 'This device may read here, not write.')
    const epoch = await ports.keyring.current(name.scope, options)
    const staged: OwnStaged[] = []
    try {
      for (const piece of pieces) staged.push(await seal(piece, epoch, options))
    } catch (error) {
      takeBack(staged)
      own.clear()
      throw error
    }
    try {
      await commit(state, staged, options)
      for (const { envelope } of staged) state.waiting.taken(envelope)
    } catch (error) {
      // a write that failed may lie on the disk all the same: nothing else is ever signed for its place
      own.clear()
      throw error
    }
    return staged.flatMap(({ entries }) => entries.map((entry) => entry.key))
  }

  const setAll = async (
    entries: readonly { readonly id: string; readonly bytes: Uint8Array | null }[],
    options: Options,
  ): Promise<void> => {
    const content = contentOf(state)
    const values = entries.map(({ id, bytes }) => encodeSetting(id, content.stampFor(id), bytes))
    const needless = entries.flatMap(({ id }) => content.superseded(id, ports.signer.id))
    await append(piecesOf(values, [...new Set(needless)]), options)
  }

  /** False for what is shown though its chain is damaged before it. */
  const isHeld = (id: string): boolean => {
    const place = entryPlace(id)
    const chain = place === undefined ? undefined : state.chains.get(place.chain)
    return place === undefined || (chain !== undefined && place.clock < chain.clock)
  }

  /** Nobody takes an erasing of what it cannot have: here it is hidden, until it can be erased everywhere. */
  const hide = (ids: readonly string[]): void => {
    if (ids.length === 0) return
    const change = { added: new Set<string>(), erased: new Set<string>() }
    contentOf(state).erase(
      ids.flatMap((id) => entryPlace(id) ?? []),
      change,
    )
    state.changes.emit({ added: [], erased: [...change.erased], author: ports.signer.id })
  }

  return {
    async write(entries, options) {
      if (entries.length === 0) return []
      if (name.kind === 'settings') {
        const named = entries.map(({ id, bytes }) => ({ id: id ?? '', bytes }))
        if (named.some(({ id }) => id === '' || id.length > SETTING_NAME_MAX_LENGTH))
          throw new MeshError('usage', 'A setting needs a name of at most 256 characters.')
        // of one setting given twice the last counts
        await setAll([...new Map(named.map((one) => [one.id, one])).values()], options)
        return named.map(({ id }) => id)
      }
      if (entries.some(({ id }) => id !== undefined))
        throw new MeshError('usage', 'An operation is given its id when it is written.')
      return append(
        piecesOf(
          entries.map(({ bytes }) => bytes),
          [],
        ),
        options,
      )
    },
    async erase(ids, options) {
      if (name.kind === 'settings') {
        const present = ids.filter((id) => contentOf(state).visible.has(id))
        if (present.length > 0)
          await setAll(
            present.map((id) => ({ id, bytes: null })),
            options,
          )
        return
      }
      const present = ids.filter((id) => contentOf(state).visible.has(id))
      const keys = present.filter(isHeld)
      hide(present.filter((id) => !isHeld(id)))
      for (const id of keys) {
        const place = entryPlace(id)
        if (place === undefined || state.chains.get(place.chain)?.author !== ports.signer.id)
          throw new MeshError('unauthorized', 'Only who wrote it can erase it.')
      }
      if (keys.length > 0) await append(piecesOf([], keys), options)
    },
    async tell({ held, late }, options) {
      const at = timeOfTelling(state)
      const pieces = [
        ...batchesOf(held, MARKED_ENDS_MAX).map((some) =>
          some.flatMap((place) => markedEnd(place, state.chains.get(place.chain)?.marks.at(place.sequence))),
        ),
        ...batchesOf(late, SYNC_ENDS_MAX - 1).map((some) => [CAME_LATE, ...some]),
      ].map((ends, index): Told => ({ values: [], erases: [], ends, at: at + index }))
      if (pieces.length > 0) await append(pieces, options)
    },
  }
}

function batchesOf<Item>(items: readonly Item[], size: number): Item[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}

/** Now, and after all that was told: clocks that are a little apart do not put what is told last before it. */
function timeOfTelling({ chains, ports }: ReplicaState): number {
  const now = ports.clock.now()
  let last = now - 1
  for (const { endsAt } of chains.all.values())
    for (const at of endsAt) if (at > last && at <= now + SYNC_SETTING_AHEAD_MS) last = at
  return last + 1
}

const SETTING_NAME_MAX_LENGTH = 256

function contentOf({ content }: ReplicaState): Content {
  if (content === undefined) throw new MeshError('usage', 'This document was closed.')
  return content
}
