import { createChains } from './chains.ts'
import type { ContentChange } from './content.ts'
import { takeHeads } from './heads.ts'
import { entryKey } from './kinds.ts'
import type { Options } from './options.ts'
import { readEntries } from './replay.ts'
import type { ReplicaState } from './replica-state.ts'

/**
 * Looks at what was found damaged in the log since the last time. Where it is an entry
 * that a chain has, the chains are counted anew from what is whole: the one ends before
 * it, and other devices are asked for the rest. In the document's turn.
 * @returns whether there was any
 * @throws MeshError of the store
 */
export async function mendIfDamaged(state: ReplicaState, options: Options): Promise<boolean> {
  const found = new Set(state.log.takeDamaged())
  if (found.size === 0 || !isAnyInForce(state, found)) return false
  const chains = createChains()
  const { stranded, damaged } = takeHeads(state.key, chains, await state.log.read(0, options))
  state.log.takeDamaged()
  state.chains = chains
  state.waiting.wakeAll()
  state.stranded = stranded
  state.damaged = damaged
  // it says that the chains are whole
  await state.log.forgetIndex(options)
  tellDamage(state)
  await showStranded(state, options)
  return true
}

function isAnyInForce({ chains }: ReplicaState, found: ReadonlySet<number>): boolean {
  return [...chains.all.values()].some(({ positions }) => positions.some((position) => found.has(position)))
}

/** Tells the log, and who asks other devices. */
export function tellDamage({ name, ports, damaged, stranded, onDamaged }: ReplicaState): void {
  ports.log.error('stored entries of a document are damaged; they are asked for again where other devices have them', {
    document: name.id,
    damaged,
    behind: stranded.length,
  })
  onDamaged()
}

/**
 * Shows what is stranded, and hides what it erases, while the document is open. Settings are not
 * shown: without the one that is missing an earlier one would be taken for the last.
 */
export async function showStranded(state: ReplicaState, options: Options): Promise<void> {
  const { content, chains, stranded, changes, ports, name } = state
  if (content === undefined || name.kind !== 'operations') return
  const change: ContentChange = { added: new Set(), erased: new Set() }
  for (const logged of stranded) {
    const { chain, head } = logged.envelope
    if (content.applied(chain) >= head.sequence) continue
    const entries = await readEntries(state, logged, options)
    if (entries === undefined || entries === 'void') continue
    entries.forEach(({ bytes }, index) => {
      const clock = head.from + index
      if (chains.erasersOf(chain, clock, 1) !== undefined) return
      content.strand({ key: entryKey(chain, clock), bytes, author: head.author, at: head.at }, change)
    })
  }
  // its author erased it, whatever came before that in the chain
  for (const { envelope } of stranded) if (envelope.head.erases.length > 0) content.erase(envelope.head.erases, change)
  if (change.added.size + change.erased.size > 0)
    changes.emit({ added: [...change.added], erased: [...change.erased], author: ports.signer.id })
}
