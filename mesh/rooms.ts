import {
  createEvents,
  type Clock,
  type DeviceId,
  type Logger,
  type PersonId,
  type Random,
  type RoomId,
  type Store,
} from './base/index.ts'
import type { Ask } from './ask.ts'
import { authorize, roomScope, scopeOf, type Member, type Membership } from './identity/index.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import { createRoomDirectory } from './room-directory.ts'
import { openRoomDocument, roomOf, versionOfRoom, weighRoom } from './room-documents.ts'
import type { MeshRooms, RoomDevice, RoomPerson } from './rooms-types.ts'
import type { Sharing } from './sharing.ts'
import { createRooms, type RoomArchives, type RoomNews } from './state/index.ts'
import type { Views } from './views.ts'

interface RoomsPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly membership: Membership
  readonly epochs: KeptEpochs
  readonly sharing: Sharing
  readonly ask: Ask
  readonly views: Views
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** The rooms of the mesh this device is in: their people from the ledger, their words from shared documents. */
export async function createMeshRooms(
  ports: RoomsPorts,
  options: Cancellable = {},
): Promise<MeshRooms & { readonly archives: RoomArchives }> {
  const { store, clock, random, log, membership, epochs, sharing, views } = ports
  const { self } = membership
  const changes = createEvents<void>((error) => {
    log.error('a listener of rooms failed', { error })
  })
  membership.changes.subscribe(() => {
    changes.emit()
  })
  const news = createEvents<RoomNews>((error) => {
    log.error('a listener of rooms failed', { error })
  })
  const { documents } = sharing
  documents.changes.subscribe(({ replica, from, envelopes }) => {
    const room = from === self ? undefined : roomOf(replica.name)
    if (room === undefined) return
    news.emit({ room, by: new Set(envelopes.map(({ head }) => personOfDevice(head.author))) })
  })
  epochs.changes.subscribe(({ scope }) => {
    const about = scopeOf(scope)
    if (about.kind !== 'person') news.emit({ room: about.kind === 'room' ? about.room : null, by: new Set() })
  })
  const personOfDevice = (device: DeviceId): PersonId | undefined => membership.state().devices.get(device)?.person
  /** How many of its keys this device has. */
  const keysOf = (room: RoomId): number =>
    (membership.state().epochs.get(roomScope(room)) ?? []).filter(
      ({ id }) => epochs.get(roomScope(room), id) !== undefined,
    ).length
  const rooms = await createRooms(
    {
      ...{ self, store, clock, random, log },
      directory: createRoomDirectory(membership, epochs),
      openDocument: (room, cancel) => openRoomDocument({ ...sharing, self, log }, room, cancel),
      weigh: (room, cancel) => weighRoom(sharing, room, cancel),
      version: (room, cancel) => versionOfRoom(documents, room, keysOf(room), cancel),
      news,
      ask: (request, cancel) => ports.ask(request, cancel),
    },
    options,
  )

  const personOf = (id: PersonId): RoomPerson | undefined => {
    const person = membership.state().people.get(id)
    return person === undefined ? undefined : { id: person.id, name: person.name }
  }
  const ownPerson = (): PersonId | undefined => membership.state().devices.get(self)?.person

  const deviceOf = (member: Member): RoomDevice => {
    const { id, name, person } = member
    const view = views.device(member)
    return { id, name, person, state: view.state, answers: view.load.slots > 0 }
  }

  return {
    rooms,
    archives: rooms,
    changes,
    people() {
      const own = ownPerson()
      return [...membership.state().people.values()]
        .filter((person) => person.removedAt === null && authorize(person.role, 'read', 'own-room').allowed)
        .map(({ id, name }) => ({ id, name }))
        .sort((a, b) => Number(b.id === own) - Number(a.id === own) || a.name.localeCompare(b.name))
    },
    person: personOf,
    device(id: DeviceId): RoomDevice | undefined {
      const member = membership.members().find((one) => one.id === id)
      return member && deviceOf(member)
    },
    known: () => ({
      people: [...membership.state().people.values()].map(({ id, name }) => ({ id, name })),
      devices: membership.members().map(deviceOf),
    }),
  }
}
