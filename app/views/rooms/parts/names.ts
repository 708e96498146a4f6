import type { DeviceId, PersonId } from '../../../../mesh/base/index.ts'
import type { RoomAnswer } from '../../../../mesh/state/index.ts'
import { t } from '../../../i18n/index.ts'
import type { Rooming } from '../../../state/index.ts'

/** The name of a person as one reads it: *You*, their name, or that nobody knows. */
export function personName(rooms: Rooming, person: PersonId | undefined): string {
  if (person === rooms.self) return t('room.you')
  return rooms.person(person)?.name ?? t('room.unknownPerson')
}

/** A person in the middle of a sentence: *you*, or their name. */
export function personInside(rooms: Rooming, person: PersonId | undefined): string {
  return person === rooms.self ? t('room.youInside') : personName(rooms, person)
}

/** The first letter of a person's own name, for their circle. */
export function personLetter(rooms: Rooming, person: PersonId | undefined): string | undefined {
  const name = rooms.person(person)?.name ?? ''
  return [...name][0]?.toLocaleUpperCase()
}

/** Several people in a sentence. */
export function peopleNames(rooms: Rooming, people: readonly PersonId[]): string {
  return listOf(people.map((person) => personName(rooms, person)))
}

/** The name of a device. */
export function deviceName(rooms: Rooming, device: DeviceId): string {
  return rooms.device(device)?.name ?? t('room.unknownDevice')
}

/** Where an answer comes from. Both names are those of the ledger. */
export interface AnswerDevices {
  /** The device that wrote it down: this is proven. */
  readonly writtenOn: string
  /** The device that answered, as the other one says; undefined where no device has that id. */
  readonly runsOn: string | undefined
}

/** A name that came along with an answer is never shown: a member writes any name into it. */
export function answerDevices(
  rooms: Pick<Rooming, 'device'>,
  { device, route }: Pick<RoomAnswer, 'device' | 'route'>,
): AnswerDevices {
  return {
    writtenOn: rooms.device(device)?.name ?? t('room.unknownDevice'),
    runsOn: route === undefined ? undefined : rooms.device(route.device)?.name,
  }
}

/** Who asked for an answer, on which device, and where it runs, if it is said and can be. */
export function askedWhere(
  rooms: Pick<Rooming, 'device'>,
  answer: Pick<RoomAnswer, 'device' | 'route'>,
  asker: string,
): string {
  const { writtenOn, runsOn } = answerDevices(rooms, answer)
  if (runsOn === undefined) return t('room.askedByFrom', { asker, device: writtenOn })
  if (answer.route?.device === answer.device) return t('room.askedByOn', { asker, device: writtenOn })
  return t('room.askedByFromOn', { asker, device: writtenOn, runsOn })
}

/** `a`, `a and b`, `a, b and c`, by the words of the page. */
export function listOf(names: readonly string[]): string {
  const last = names.at(-1)
  if (names.length < 2 || last === undefined) return last ?? ''
  return t('room.and', { names: names.slice(0, -1).join(t('room.comma')), last })
}
