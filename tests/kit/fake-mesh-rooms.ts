import { createEvents, MeshError, type PersonId } from '../../mesh/base/index.ts'
import type { MeshRooms } from '../../mesh/rooms-types.ts'

const notHere = (): Promise<never> => Promise.reject(new MeshError('usage', 'This room is not here.'))
const never = createEvents<never>(() => undefined)

/** A mesh without rooms. */
export const NO_ROOMS: MeshRooms = {
  rooms: {
    self: '0'.repeat(32) as PersonId,
    changes: never,
    problems: never,
    list: () => [],
    create: notHere,
    open: notHere,
    close: () => Promise.resolve(),
    weigh: () => Promise.resolve(0),
    keepCurrent: () => () => undefined,
    get: () => undefined,
    say: notHere,
    edit: notHere,
    delete: notHere,
    ask: notHere,
    stop: notHere,
    hide: notHere,
    rename: notHere,
    setRule: notHere,
    markSeen: () => undefined,
    markAllSeen: () => undefined,
    attend: () => undefined,
    receipts: () => ({ devices: [], seenBy: [] }),
    search: () => Promise.resolve({ found: [], whole: true }),
    read: notHere,
    stopAll: () => Promise.resolve(),
  },
  people: () => [],
  person: () => undefined,
  device: () => undefined,
  known: () => ({ people: [], devices: [] }),
  changes: never,
}
