import * as z from 'zod'
import { ROOM_NAME_MAX_LENGTH, ROOM_TEXT_MAX_LENGTH, type MessageId } from '../../../mesh/base/index.ts'
import type { Delivery, RoomLine } from '../../../mesh/state/index.ts'
import { findPerson } from '../find-named.ts'
import { operation } from '../operation.ts'
import type { KnownRoom } from '../room-use.ts'

/** A room as scripts see it. */
export type RoomEntry = KnownRoom
/** A message or answer as scripts see it. */
export type ReadLine = RoomLine

/** A message that is durable on this device. */
export interface Said {
  readonly id: MessageId
  readonly state: Delivery['kind']
}

const roomText = z.string().min(1).max(200)
/** Whom one may address from a command line; people are addressed by writing their names. */
const TO_AI = /(?:^|\s)@ai\b/iu

/** Every room of this person, newest first. */
export const rooms = operation<Record<string, never>, never, RoomEntry[]>({
  name: 'rooms',
  input: z.strictObject({}),
  run: async (_input, { host, signal }) => [...(await host.rooms.list({ signal }))],
})

/** Makes a room of these people and this one. Who comes to it later reads what was written before. */
export const createRoom = operation<{ name: string; people: readonly string[] }, never, RoomEntry>({
  name: 'rooms-create',
  input: z.object({
    name: z.string().trim().min(1).max(ROOM_NAME_MAX_LENGTH),
    people: z.array(z.string().min(1).max(200)).max(100),
  }),
  async run(input, { host, signal }) {
    const { rooms: all, people } = host.mesh.rooms
    const wanted = input.people.map((text) => findPerson(people(), text).id)
    const id = await all.create({ name: input.name, people: wanted, history: 'all', signal })
    await host.rooms.keep(id, { signal })
    return { id, name: input.name, unread: 0 }
  },
})

/** Writes a message; with `@ai` in it the AI is asked next. The result is told when the message is durable here. */
export const say = operation<{ room: string; text: string }, never, Said>({
  name: 'say',
  input: z.object({ room: roomText, text: z.string().min(1).max(ROOM_TEXT_MAX_LENGTH) }),
  async run(input, { host, signal }) {
    const all = host.mesh.rooms.rooms
    const room = await host.rooms.find(input.room, { signal })
    await host.rooms.keep(room, { signal })
    const id = await all.say(room, input.text, { signal, ...(TO_AI.test(input.text) ? { mentions: ['ai'] } : {}) })
    const written = all.get(room)?.items.find((item) => item.id === id)
    return { id, state: (written?.kind === 'message' ? written.delivery?.kind : undefined) ?? 'saved' }
  },
})

/** The messages and answers of a room in the common order. Who reads them here has seen them. */
export const readRoom = operation<{ room: string }, never, ReadLine[]>({
  name: 'rooms-read',
  input: z.object({ room: roomText }),
  async run(input, { host, signal }) {
    const all = host.mesh.rooms.rooms
    const room = await host.rooms.find(input.room, { signal })
    await host.rooms.keep(room, { signal })
    const lines = await all.read(room, { signal })
    all.markSeen(
      room,
      lines.map((line) => line.id),
    )
    return [...lines]
  },
})
