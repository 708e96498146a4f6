import { asMeshError, type Logger, type RoomId } from '../../mesh/base/index.ts'
import type { Rooms } from '../../mesh/state/index.ts'
import { findRoom } from './find-named.ts'

/** A room in the list: its name and unread messages as its document has them now. */
export interface KnownRoom {
  readonly id: RoomId
  /** Empty: its name has not come to this device yet. */
  readonly name: string
  readonly unread: number
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Which rooms the commands of this helper have open. Others are stored and passed on all the same. */
export interface RoomUse {
  /** Every room, newest first; each is opened long enough to know it. @throws MeshError of the store */
  list(options?: Cancellable): Promise<readonly KnownRoom[]>
  /** The one room that is meant. @throws MeshError `room-unknown`, and of the store */
  find(text: string, options?: Cancellable): Promise<RoomId>
  /** Opens a room for as long as the helper runs: an answer being written in it needs it. */
  keep(room: RoomId, options?: Cancellable): Promise<void>
}

/** Follows which rooms commands use, so that no command closes a room under another. */
export function createRoomUse(rooms: Rooms, log: Logger): RoomUse {
  const kept = new Set<RoomId>()
  const glances = new Map<RoomId, number>()

  const letGo = (room: RoomId): void => {
    const left = (glances.get(room) ?? 1) - 1
    if (left > 0) glances.set(room, left)
    else glances.delete(room)
    if (left > 0 || kept.has(room)) return
    rooms.close(room).catch((error: unknown) => {
      log.warn('a room could not be closed', { error: asMeshError(error).message })
    })
  }

  const glance = async (room: RoomId, options: Cancellable): Promise<KnownRoom> => {
    const shown = kept.has(room) ? rooms.get(room) : undefined
    if (shown !== undefined) return { id: room, name: shown.name, unread: shown.unread }
    glances.set(room, (glances.get(room) ?? 0) + 1)
    try {
      await rooms.open(room, options)
      const view = rooms.get(room)
      return { id: room, name: view?.name ?? '', unread: view?.unread ?? 0 }
    } finally {
      letGo(room)
    }
  }

  const list: RoomUse['list'] = async (options = {}) => {
    const known: KnownRoom[] = []
    // one after the other: a room of ten thousand messages is in memory only while it is looked at
    for (const { id } of rooms.list()) known.push(await glance(id, options))
    return known
  }

  return {
    list,
    async find(text, options) {
      const exact = rooms.list().find((room) => room.id === text.trim())
      return exact?.id ?? findRoom(await list(options), text).id
    },
    async keep(room, options) {
      kept.add(room)
      await rooms.open(room, options)
    },
  }
}
