import { createEvents, errorFromWire, type Logger, type MeshError, type RoomId } from '../../../mesh/base/index.ts'
import type { RoomChange, RoomView } from '../../../mesh/state/index.ts'
import type { RoomsSight, RoomsSource } from '../rooms-port.ts'
import type { RoomsTold } from './messages.ts'

/** What hearing of rooms stands on. */
export interface RoomHearingPorts {
  readonly log: Logger
  /** True for the rooms this tab has open: of others nothing is kept. */
  wants(room: RoomId): boolean
}

/** The rooms as the leading tab tells them. */
export interface RoomHearing extends RoomsSource {
  /** `missed`: the news are about something that was never heard here; everything has to be told again. */
  hear(told: RoomsTold, isEverything: boolean): 'taken' | 'missed'
  /** That tab, or its peer, is gone. */
  forget(): void
}

/** Makes ears that have heard nothing. */
export function createRoomHearing(ports: RoomHearingPorts): RoomHearing {
  const onListenerError = (error: unknown): void => {
    ports.log.error('a listener of rooms failed', { error })
  }
  const changes = createEvents<RoomChange>(onListenerError)
  const problems = createEvents<MeshError>(onListenerError)
  const partings = createEvents<RoomsSight>(onListenerError)
  const views = new Map<RoomId, RoomView>()
  let members: RoomsTold['members'] = {}

  /** True when it could be put together. */
  const takeView = ({ head, before, after, items }: RoomsTold['views'][number]): boolean => {
    const known = views.get(head.id)?.items ?? []
    if (before + after > known.length) return false
    const kept = { first: known.slice(0, before), last: known.slice(known.length - after) }
    views.set(head.id, { ...head, items: [...kept.first, ...items, ...kept.last] })
    changes.emit({ room: head.id })
    return true
  }

  const sight = (): RoomsSight | undefined => {
    const { self, list, people, known } = members
    if (self === undefined || list === undefined || people === undefined || known === undefined) return undefined
    return { self, list: () => list, people: () => people, known: () => known, view: (room) => views.get(room) }
  }

  return {
    changes,
    problems,
    partings,
    sight,
    hear(told, isEverything) {
      if (isEverything) views.clear()
      members = { ...members, ...told.members }
      for (const room of told.gone) views.delete(room)
      const wanted = told.views.filter(({ head }) => ports.wants(head.id))
      const missed = wanted.filter((view) => !takeView(view))
      if (Object.keys(told.members).length + told.gone.length > 0) changes.emit({ room: null })
      for (const problem of told.problems) problems.emit(errorFromWire(problem))
      return missed.length === 0 ? 'taken' : 'missed'
    },
    forget() {
      const before = sight()
      if (before !== undefined) partings.emit(before)
      views.clear()
      members = {}
      changes.emit({ room: null })
    },
  }
}
