import { MeshError, type ErrorCode, type InvitationId, type RoomId } from '../../mesh/base/index.ts'
import type { DeviceView, PendingJoin } from '../../mesh/mesh-types.ts'
import type { InvitationLine, PersonView } from '../../mesh/people-types.ts'

interface Named {
  readonly id: string
  readonly name: string
}

/**
 * The one device a person means: its id, its name, or the beginning of either.
 * @throws MeshError `device-unknown` when none or several fit; the sentence says which.
 */
export function findDevice(devices: readonly DeviceView[], text: string): DeviceView {
  return findNamed(devices, text, {
    several: 'devices',
    none: (wanted) => `No device of this mesh is called "${wanted}". "plexus devices" shows them.`,
  })
}

/**
 * The one person who is meant, in the same ways.
 * @throws MeshError `device-unknown` when none or several fit; the sentence says which.
 */
export function findPerson<Person extends Pick<PersonView, 'id' | 'name'>>(
  people: readonly Person[],
  text: string,
): Person {
  return findNamed(people, text, {
    several: 'people',
    none: (wanted) => `Nobody in this mesh is called "${wanted}". "plexus people" shows them.`,
  })
}

/** What {@link findDeviceOrPerson} found. */
export type Found =
  { readonly kind: 'device'; readonly device: DeviceView } | { readonly kind: 'person'; readonly person: PersonView }

/**
 * The one device or person who is meant. A name that fits both is refused: to remove
 * a person removes every device.
 * @throws MeshError `device-unknown` when none or several fit; the sentence says which.
 */
export function findDeviceOrPerson(devices: readonly DeviceView[], people: readonly PersonView[], text: string): Found {
  const all = [
    ...devices.map((device) => ({ id: device.id, name: device.name, found: { kind: 'device', device } as const })),
    ...people.map((person) => ({ id: person.id, name: person.name, found: { kind: 'person', person } as const })),
  ]
  return findNamed(all, text, {
    several: 'devices and people',
    none: (wanted) =>
      `No device and nobody in this mesh is called "${wanted}". "plexus devices" and "plexus people" show them.`,
  }).found
}

/**
 * The one device that waits for its pictures and is meant, in the same ways.
 * @throws MeshError `device-unknown` when none or several fit; the sentence says which.
 */
export function findJoin(joins: readonly PendingJoin[], text: string): PendingJoin {
  const named = joins.map((join) => ({ id: join.device, name: join.name, join }))
  return findNamed(named, text, {
    several: 'devices',
    none: (wanted) => `No device called "${wanted}" waits for its pictures. "plexus joins" shows those that do.`,
  }).join
}

/**
 * The one invitation whose id begins so.
 * @throws MeshError `invitation-unknown` when none or several fit.
 */
export function findInvitation(invitations: readonly InvitationLine[], text: string): InvitationId {
  const wanted = text.trim().toLowerCase()
  const found = wanted === '' ? [] : invitations.filter((line) => line.id.startsWith(wanted))
  if (found.length > 1) {
    throw new MeshError('invitation-unknown', `"${wanted.slice(0, 80)}" fits several invitations. Type more of the id.`)
  }
  if (found[0] !== undefined) return found[0].id
  throw new MeshError(
    'invitation-unknown',
    `No invitation of this mesh is called "${wanted.slice(0, 80)}". "plexus invitations" shows them.`,
  )
}

/**
 * The one room that is meant: its id, its name, or the beginning of either.
 * @throws MeshError `room-unknown` when none or several fit; the sentence says which.
 */
export function findRoom<Room extends { readonly id: RoomId; readonly name: string }>(
  rooms: readonly Room[],
  text: string,
): Room {
  return findNamed(rooms, text, {
    code: 'room-unknown',
    several: 'rooms',
    none: (wanted) => `You are in no room called "${wanted}". "plexus rooms" shows them.`,
  })
}

interface Sentences {
  /** Default `device-unknown`. */
  readonly code?: ErrorCode
  readonly several: string
  none(wanted: string): string
}

function findNamed<Item extends Named>(items: readonly Item[], text: string, sentences: Sentences): Item {
  const wanted = text.trim()
  const code = sentences.code ?? 'device-unknown'
  const exact = items.find((item) => item.id === wanted)
  if (exact !== undefined) return exact
  if (wanted === '') throw new MeshError(code, 'No name was given.')

  const lower = wanted.toLowerCase()
  const tries: ((item: Item) => boolean)[] = [
    (item) => item.name === wanted,
    (item) => item.name.toLowerCase() === lower,
    (item) => item.id.startsWith(wanted) || item.name.toLowerCase().startsWith(lower),
  ]
  for (const fits of tries) {
    const found = items.filter(fits)
    if (found.length === 1 && found[0] !== undefined) return found[0]
    if (found.length > 1) {
      const names = found.map((item) => `${item.name} (${item.id})`).join(', ')
      throw new MeshError(code, `"${wanted}" fits several ${sentences.several}: ${names}. Use the id.`)
    }
  }
  throw new MeshError(code, sentences.none(wanted.slice(0, 80)))
}
