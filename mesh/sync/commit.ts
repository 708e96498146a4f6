import type { DeviceId } from '../base/index.ts'
import type { ContentChange } from './content.ts'
import { logEntry } from './log-entry.ts'
import { landStranded } from './landing.ts'
import { grownBy } from './log-growth.ts'
import type { Options } from './options.ts'
import type { ReplicaState, Staged } from './replica-state.ts'

/**
 * Makes staged envelopes durable, then visible. When the disk fails nothing was
 * taken: heads and content are as before.
 * @throws MeshError `storage-full`, `storage-failed`, `aborted`; `too-large` for the first of a document that has no place
 */
export async function commit(state: ReplicaState, staged: readonly Staged[], options: Options): Promise<void> {
  const [begin] = staged
  if (begin === undefined) return
  const entries = staged.map(({ envelope, entries: known, isLate = false }) =>
    logEntry({ envelope, checked: known !== undefined && known !== 'void', isLate }),
  )
  let first: number
  try {
    await state.late.save(options)
    await state.place.take(begin.envelope.head.author, options)
    first = await state.log.append(entries, options)
    state.late.settle()
  } catch (error) {
    takeBack(staged)
    throw error
  }
  staged.forEach(({ envelope }, index) => {
    const chain = state.chains.get(envelope.chain)
    if (chain !== undefined) chain.positions[envelope.head.sequence - 1] = first + index
  })
  state.lastPosition = first + staged.length - 1
  const envelopes = staged.map(({ envelope }) => envelope)
  const bytes = entries.reduce((sum, entry) => sum + entry.byteLength, 0)
  state.grown = grownBy(state.grown, envelopes, bytes)
  state.unforgotten = grownBy(state.unforgotten, envelopes, bytes)
  landStranded(state)
  show(state, staged)
}

/** Takes back what was staged, newest first. */
export function takeBack(staged: readonly Staged[]): void {
  for (const { undo } of [...staged].reverse()) undo()
}

function show(state: ReplicaState, staged: readonly Staged[]): void {
  const { content } = state
  if (content === undefined) return
  const byAuthor = new Map<DeviceId, ContentChange>()
  content.batch(() => {
    for (const { envelope, entries } of staged) {
      const { author } = envelope.head
      const change = byAuthor.get(author) ?? { added: new Set(), erased: new Set() }
      byAuthor.set(author, change)
      addEnvelope(state, { envelope, entries }, change)
    }
  })
  for (const [author, { added, erased }] of byAuthor) {
    if (added.size + erased.size > 0) state.changes.emit({ added: [...added], erased: [...erased], author })
  }
}

/** Adds the next envelope of a chain to the content; one that cannot be read holds up its chain, not its erasing. */
export function addEnvelope(
  { content, chains }: ReplicaState,
  { envelope, entries }: Pick<Staged, 'envelope' | 'entries'>,
  change: ContentChange,
): void {
  const { head } = envelope
  const chain = chains.get(envelope.chain)
  if (content === undefined || chain === undefined) return
  if (content.applied(chain.number) === head.sequence - 1) {
    if (entries === 'void' || (entries === undefined && envelope.box === undefined))
      content.skip(chain, head.sequence, head.from, head.count)
    else if (entries !== undefined) content.add(chain, head.sequence, head.from, entries, change)
  }
  if (head.erases.length > 0) content.erase(head.erases, change)
}
