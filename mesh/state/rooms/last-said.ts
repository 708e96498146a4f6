import { isSamePerson, type PersonOf } from './contents.ts'
import { mayTouch, type MessageNode, type RoomEntry, type Said, type SaidChange } from './fold.ts'
import { aheadIn, createSuccession, lastOf, type Succession } from './succession.ts'

/** Of what was said about each message, what is right. */
export interface LastSaid {
  of(node: MessageNode): Said | undefined
  /** What something of this order has to name, so that it comes after all that count. */
  ahead(node: MessageNode, order: number): string[]
  /** Something was said, or taken back. */
  note(changes: readonly SaidChange[]): void
  /** Who counts may be others now. */
  forget(): void
}

/**
 * Where more was said about one message than this, which no person does, it is kept up to date rather than
 * looked through: else everything that is said about it once more would cost all that was said before.
 */
const LOOKED_THROUGH_MAX = 32

/** Nothing looked at yet. */
export function createLastSaid(personOf: PersonOf): LastSaid {
  let kept = new WeakMap<MessageNode, Succession<Said>>()

  const counts = (node: MessageNode, entry: RoomEntry): boolean => mayTouch(entry, node) && isOfKind(node, entry)
  const isOfKind = (node: MessageNode, { author, operation }: RoomEntry): boolean =>
    node.head.operation.op === 'say'
      ? operation.op === 'text' && isSamePerson(author, node.head.author, personOf)
      : operation.op === 'hide'
  const all = (node: MessageNode): Said[] => {
    const said: Said[] = []
    for (const entry of node.about.values()) if (counts(node, entry)) said.push(entry as Said)
    return said
  }
  const keptOf = (node: MessageNode): Succession<Said> | undefined => {
    const known = kept.get(node)
    if (known !== undefined || node.about.size <= LOOKED_THROUGH_MAX) return known
    const made = createSuccession<Said>()
    for (const said of all(node)) made.add(said)
    kept.set(node, made)
    return made
  }

  return {
    of: (node) => {
      const succession = keptOf(node)
      return succession === undefined ? lastOf(all(node)) : succession.last()
    },
    ahead: (node, order) => keptOf(node)?.ahead(order) ?? aheadIn(all(node), order),
    note(changes) {
      for (const { node, entry, isThere } of changes) {
        const succession = kept.get(node)
        if (succession === undefined || !counts(node, entry)) continue
        if (isThere) succession.add(entry)
        else succession.remove(entry)
      }
    },
    forget() {
      kept = new WeakMap()
    },
  }
}
