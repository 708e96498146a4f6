import { ROOM_HEADS_MAX } from '../../base/index.ts'
import { settleLevels, type Leveled } from '../levels.ts'
import { createLinks, NO_LINKS, type Linked } from './links.ts'
import { createNewest, type Newest } from './newest.ts'
import { comparePlaces, type Place } from './order.ts'

/** An operation that replaces those of its kind that its author had seen. */
export interface Successor {
  readonly id: string
  readonly operation: {
    readonly order: number
    /** Those of its kind that were seen and claim a place which is not before this one. */
    readonly after?: readonly string[] | undefined
  }
}

/** Operations that replace one another, as the name of a room does: the last in the common order is right. */
export interface Succession<Entry extends Successor> {
  add(entry: Entry): void
  remove(entry: Entry): void
  /** The one that is right. */
  last(): Entry | undefined
  /** What something of this order has to name so that it comes after all that is here. */
  ahead(order: number): string[]
}

interface Step<Entry> extends Linked<Step<Entry>> {
  readonly entry: Entry
}

/** None yet. */
export function createSuccession<Entry extends Successor>(): Succession<Entry> {
  const steps = new Map<Entry, Step<Entry>>()
  const links = createLinks<Step<Entry>>(({ entry }) => entry.operation.after ?? [])
  const none = (): Newest<Step<Entry>> => createNewest<Step<Entry>>(ROOM_HEADS_MAX, comparePlaces)
  let newest = none()
  const settled = (): readonly Step<Entry>[] => {
    if (links.settle()) {
      newest = none()
      for (const step of steps.values()) newest.add(step)
    }
    return newest.items
  }
  return {
    add(entry) {
      const { id, operation } = entry
      const step: Step<Entry> = { id, order: operation.order, level: 0, entry, children: NO_LINKS, parents: NO_LINKS } // prettier-ignore
      steps.set(entry, step)
      links.add(step)
      newest.add(step)
    },
    remove(entry) {
      const step = steps.get(entry)
      if (step === undefined) return
      steps.delete(entry)
      newest.remove(step)
      links.remove(step)
    },
    last: () => settled()[0]?.entry,
    ahead: (order) => aheadOf(settled(), order),
  }
}

/** The one of these that is right, of all that replace one another. For what is looked at once. */
export function lastOf<Entry extends Successor>(entries: readonly Entry[]): Entry | undefined {
  let last: PlacedEntry<Entry> | undefined
  for (const step of placed(entries)) if (last === undefined || comparePlaces(last, step) < 0) last = step
  return last?.entry
}

/** See {@link Succession.ahead}, of these. */
export function aheadIn(entries: readonly Successor[], order: number): string[] {
  return aheadOf(
    placed(entries).sort((a, b) => comparePlaces(b, a)),
    order,
  )
}

type PlacedEntry<Entry> = Place & Leveled & { readonly entry: Entry }

function placed<Entry extends Successor>(entries: readonly Entry[]): PlacedEntry<Entry>[] {
  const steps = entries.map((entry) => ({ id: entry.id, order: entry.operation.order, level: 0, entry }))
  if (!entries.some(({ operation }) => operation.after !== undefined)) return steps
  const byId = new Map(steps.map((step) => [step.id, step]))
  settleLevels(
    steps,
    ({ id, entry }) => (entry.operation.after ?? []).flatMap((seen) => (seen === id ? [] : (byId.get(seen) ?? []))),
    ({ id }) => id,
  )
  return steps
}

function aheadOf(newestFirst: readonly Place[], order: number): string[] {
  const own = { level: 0, order, id: '' }
  return newestFirst
    .slice(0, ROOM_HEADS_MAX)
    .filter((place) => comparePlaces(place, own) > 0)
    .map(({ id }) => id)
}
