import { isAbort, type EventSource, type Logger } from '../../../mesh/base/index.ts'
import type { MeshEvent } from '../../../mesh/mesh-types.ts'
import type { SharedMesh } from '../app-peer.ts'
import type { Caller } from './caller.ts'
import type { AnyEntry, AnyShape } from './shape.ts'
import { MESH } from './tables.ts'

/** The mesh of the leading tab: snapshots as they were told, everything else by calling it. */
export function createRemoteMesh(
  caller: Caller,
  snapshots: ReadonlyMap<string, unknown>,
  events: EventSource<MeshEvent>,
  log: Logger,
): SharedMesh {
  const member = (name: string, entry: AnyEntry): unknown => {
    const place = `mesh.${name}`
    switch (entry.kind) {
      case 'events':
        return events
      case 'value':
        return snapshots.get(name)
      case 'snapshot':
        return () => snapshots.get(name)
      case 'call':
        return (...given: unknown[]) => caller.call(place, entry, given)
      case 'stream':
        return (...given: unknown[]) => caller.stream(place, entry, given)
      case 'post':
        return (...given: unknown[]) => {
          caller.call(place, entry, given).catch((error: unknown) => {
            if (!isAbort(error)) log.debug('a word to the leading tab did not arrive', { place, error })
          })
        }
      case 'own':
        return undefined
    }
  }
  const members = Object.entries(MESH as AnyShape).map(([name, entry]) => [name, member(name, entry)])
  // the table is exhaustive and held against the type, member by member
  return Object.fromEntries(members) as SharedMesh
}
