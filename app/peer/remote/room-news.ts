import { errorToWire, type MeshError, type RoomId } from '../../../mesh/base/index.ts'
import type { RoomItem, RoomView } from '../../../mesh/state/index.ts'
import type { RoomsSight } from '../rooms-port.ts'
import type { RoomsTold } from './messages.ts'

/** What the news of rooms are made from. */
export interface RoomNewsPorts {
  sight(): RoomsSight | undefined
  /** Rooms that other tabs have open. */
  wanted(): Iterable<RoomId>
}

/** What the other tabs do not have yet of the rooms they want, as parts of what they have. */
export interface RoomNews {
  /** A room, or with null the list or names, may be another. */
  changed(room: RoomId | null): void
  /** A failure nobody waits for. */
  failed(error: MeshError): void
  /** A tab came that does not have these yet: they are told whole, to all. */
  tellAgain(rooms: Iterable<RoomId>): void
  /** Another mesh: nothing of what was told holds. */
  forget(): void
  /** What changed since it was last taken; undefined: nothing. */
  take(): RoomsTold | undefined
  /** Everything as it was last taken, or is now. */
  everything(): RoomsTold
}

interface ToldView {
  readonly head: string
  readonly items: readonly RoomItem[]
}

/** Makes news of which nothing was told. */
export function createRoomNews(ports: RoomNewsPorts): RoomNews {
  let members: RoomsTold['members'] = {}
  const views = new Map<RoomId, ToldView>()
  const changedRooms = new Set<RoomId>()
  let problems: RoomsTold['problems'] = []
  let membersChanged = true

  /** Those members that are others than what was told. */
  const memberNews = (sight: RoomsSight): RoomsTold['members'] => {
    const before = members
    members = membersOf(sight)
    const isNews = ([name, value]: [string, unknown]): boolean =>
      JSON.stringify(value) !== JSON.stringify(before[name as keyof typeof before])
    return Object.fromEntries(Object.entries(members).filter(isNews))
  }

  const viewNews = (sight: RoomsSight, room: RoomId): RoomsTold['views'] => {
    const view = sight.view(room)
    if (view === undefined) return []
    const known = views.get(room)
    const head = headOf(view)
    const text = JSON.stringify(head)
    const part = splice(known?.items ?? [], view.items)
    views.set(room, { head: text, items: view.items })
    const isSame = known?.head === text && part.items.length === 0 && known.items.length === view.items.length
    return isSame ? [] : [{ head, ...part }]
  }

  return {
    changed(room) {
      if (room === null) membersChanged = true
      else changedRooms.add(room)
    },
    failed(error) {
      problems = [...problems, errorToWire(error)]
    },
    tellAgain(rooms) {
      for (const room of rooms) {
        views.delete(room)
        changedRooms.add(room)
      }
    },
    forget() {
      members = {}
      views.clear()
      membersChanged = true
    },
    take() {
      const sight = ports.sight()
      if (sight === undefined) return undefined
      const wanted = new Set(ports.wanted())
      const told: RoomsTold = {
        members: membersChanged ? memberNews(sight) : {},
        views: [...wanted].flatMap((room) => (changedRooms.has(room) || !views.has(room) ? viewNews(sight, room) : [])),
        gone: [...views.keys()].filter((room) => !wanted.has(room) || sight.view(room) === undefined),
        problems,
      }
      for (const room of told.gone) views.delete(room)
      changedRooms.clear()
      membersChanged = false
      problems = []
      const isNothing = Object.keys(told.members).length + told.views.length + told.gone.length + told.problems.length
      return isNothing === 0 ? undefined : told
    },
    everything() {
      const sight = ports.sight()
      if (sight === undefined) return { members: {}, views: [], gone: [], problems: [] }
      const all = [...new Set(ports.wanted())].flatMap((room) => {
        const view = sight.view(room)
        if (view === undefined) return []
        return [{ head: headOf(view), before: 0, after: 0, items: views.get(room)?.items ?? view.items }]
      })
      return { members: membersOf(sight), views: all, gone: [], problems: [] }
    },
  }
}

function membersOf(sight: RoomsSight): RoomsTold['members'] {
  return { self: sight.self, list: sight.list(), people: sight.people(), known: sight.known() }
}

function headOf(view: RoomView): RoomsTold['views'][number]['head'] {
  const { items: _items, ...head } = view
  return head
}

/** What of the lines is other: so many stay at the beginning and at the end, and these come between. */
function splice(
  known: readonly RoomItem[],
  next: readonly RoomItem[],
): { readonly before: number; readonly after: number; readonly items: readonly RoomItem[] } {
  const most = Math.min(known.length, next.length)
  let before = 0
  while (before < most && isSameItem(known[before], next[before])) before += 1
  let after = 0
  while (after < most - before && isSameItem(known.at(-1 - after), next.at(-1 - after))) after += 1
  return { before, after, items: next.slice(before, next.length - after) }
}

/** Messages and answers are the same object while they are the same; seams and gaps are made anew each time. */
function isSameItem(a: RoomItem | undefined, b: RoomItem | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined || a.id !== b.id) return false
  return (a.kind === 'seam' || a.kind === 'gap') && JSON.stringify(a) === JSON.stringify(b)
}
