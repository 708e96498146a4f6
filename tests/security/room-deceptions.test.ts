import { describe, expect, test } from 'vitest'
import type { MessageId } from '../../mesh/base/index.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import { createSeededRandom } from '../kit/random.ts'
import { createRoomScene, ROOM, type RoomMember, type RoomScene } from '../unit/state/room-scene.ts'

// A member with software of its own writes what looks like something else: other words that look like the
// first, an old message that takes a room out of sight, a new one that looks like an old one.

const random = createSeededRandom('deceptions')

interface Deceived {
  readonly scene: RoomScene
  readonly alice: RoomMember
  readonly mallory: RoomMember
  /** Puts an operation in as Mallory's own software does. */
  plant(happening: RoomHappening, at?: number): MessageId
}

async function deceived(): Promise<Deceived> {
  const scene = createRoomScene()
  const alice = await scene.member('alice-laptop')
  const mallory = await scene.member('mallory-phone')
  return {
    ...{ scene, alice, mallory },
    plant(happening, at = scene.clock.now()) {
      const id = entryId(scene.clock.now(), random, mallory.device) as MessageId
      mallory.document.plant(id, encodeRoomOperation(happening), at)
      return id
    },
  }
}

describe('what a member changes', () => {
  test.each(['a new id', 'the id of the first words'])(
    'after it was answered shows as edited, also in the place of the first words and under %s',
    async (under) => {
      const { scene, alice, mallory, plant } = await deceived()
      const question = await mallory.rooms.say(ROOM, 'Shall I bring cake?')
      await scene.calm()
      expect(alice.find('Shall I bring cake?')).toMatchObject({ edited: false })
      await alice.rooms.say(ROOM, 'Yes, please!')
      await scene.calm()
      const operations = [...mallory.document.operations()]
      const order = mallory.document.operations().get(question)?.at ?? 0
      const first = operations.map(([id]) => id).find((id) => mallory.document.isOneWrite(question, id)) ?? ''
      const changed: RoomHappening = { op: 'text', order, message: question, text: 'Shall I sell your car?' }
      await mallory.document.erase(first)
      if (under === 'a new id') plant(changed)
      else mallory.document.plant(first, encodeRoomOperation(changed), scene.clock.now())
      await scene.calm()
      expect(alice.find('Shall I sell your car?')).toMatchObject({ id: question, edited: true })
    },
  )
})

describe('what a member dates', () => {
  test('long ago does not take the room out of sight', async () => {
    const { scene, alice, plant } = await deceived()
    await scene.clock.advanceAsync(60_000)
    await alice.rooms.say(ROOM, 'hello')
    await scene.calm()
    const { updatedAt } = alice.view()
    plant({ op: 'say', order: scene.clock.now() + 1, parents: [] }, 0)
    await scene.calm()
    expect(alice.messages().at(-1)?.writtenAt).toBe(0)
    expect(alice.view().updatedAt).toBe(updatedAt)
  })

  test('now, and places among what was said before, shows as having come late', async () => {
    const { scene, alice, plant } = await deceived()
    const before = scene.clock.now()
    await scene.clock.advanceAsync(600_000)
    await alice.rooms.say(ROOM, 'I have seen nothing of it')
    await scene.calm()
    await scene.clock.advanceAsync(600_000)
    const warned = plant({ op: 'say', order: before, parents: [] })
    await scene.calm()
    const [first] = alice.messages()
    expect(first).toMatchObject({ id: warned, late: { writtenAt: before, arrivedAt: scene.clock.now() } })
    expect(alice.view().items[0]).toMatchObject({ kind: 'seam', count: 1 })
  })
})

describe('what others said', () => {
  test('stays where it was, and read, when what they had seen is written anew as having seen them', async () => {
    const { scene, alice, mallory } = await deceived()
    const bob = await scene.member('bob-phone')
    const order = scene.clock.now() + 30 * 24 * 3_600_000
    const lie = entryId(scene.clock.now(), random, mallory.device)
    const write = (happening: RoomHappening): void =>
      mallory.document.plant(lie, encodeRoomOperation(happening), scene.clock.now())
    write({ op: 'say', order, parents: [] })
    await scene.calm()
    for (const text of ['one', 'two', 'three']) {
      await scene.clock.advanceAsync(1_000)
      await (text === 'two' ? bob : alice).rooms.say(ROOM, text)
      await scene.calm()
    }
    bob.rooms.markAllSeen(ROOM)
    await scene.clock.advanceAsync(5_000)
    await scene.calm()
    const last = alice.messages().at(-1)?.id
    await mallory.document.erase(lie)
    write({ op: 'say', order, parents: [last as MessageId] })
    await scene.calm()
    for (const member of [alice, bob, mallory]) {
      expect(member.texts()).toEqual(['', 'one', 'two', 'three'])
      expect(member.messages().at(-1)?.id).toBe(last)
    }
    // what its author wrote anew may be news, and nothing else
    expect(bob.messages().filter(({ unread, id }) => unread && id !== lie)).toEqual([])
  })
})
