import { describe, expect, test } from 'vitest'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import type { MessageId } from '../../mesh/base/index.ts'
import { createSeededRandom } from '../kit/random.ts'
import { createRoomScene, personId, ROOM, type RoomMember, type RoomScene } from '../unit/state/room-scene.ts'

// A member writes so many messages that name what nobody has, or that follow on nothing, that no mark
// can name all of it. What was on a screen is read all the same, for good and on all devices.

interface Attack {
  readonly scene: RoomScene
  readonly alice: RoomMember
  readonly bob: RoomMember
  readonly mallory: RoomMember
  say(parents: readonly MessageId[], at?: number): MessageId
  newId(): MessageId
}

async function attack(): Promise<Attack> {
  const scene = createRoomScene()
  const random = createSeededRandom('marks')
  const alice = await scene.member('alice-phone')
  const bob = await scene.member('bob-phone')
  const mallory = await scene.member('mallory-phone')
  const newId = (): MessageId => entryId(scene.clock.now(), random, mallory.device) as MessageId
  const plant = (id: MessageId, happening: RoomHappening): MessageId => {
    mallory.document.plant(id, encodeRoomOperation(happening), scene.clock.now())
    return id
  }
  return {
    ...{ scene, alice, bob, mallory, newId },
    say(parents, at = scene.clock.now()) {
      const id = plant(newId(), { op: 'say', order: at, parents })
      plant(newId(), { op: 'text', order: at, message: id, text: 'look' })
      return id
    },
  }
}

/** As many as there are missing, that nobody ever writes. */
const never = (newId: () => MessageId, count = 16): MessageId[] => Array.from({ length: count }, newId)

async function readAll({ scene, alice }: Pick<Attack, 'scene' | 'alice'>): Promise<void> {
  alice.rooms.markSeen(
    ROOM,
    alice.messages().map(({ id }) => id),
  )
  await scene.clock.advanceAsync(5_000)
  await scene.calm()
}

const marksOf = ({ document, device }: RoomMember): number =>
  [...document.operations()].filter(
    ([, { author, bytes }]) => author === device && Buffer.from(bytes).includes('dread'),
  ).length

describe('what was read can be told', () => {
  const ATTACKS: Readonly<Record<string, (given: Attack) => Promise<void>>> = {
    'beside five messages that name eighty that never come': async ({ say, newId }) => {
      for (let index = 0; index < 5; index++) say(never(newId))
      await Promise.resolve()
    },
    'beside forty messages that follow on nothing': async ({ say }) => {
      for (let index = 0; index < 40; index++) say([])
      await Promise.resolve()
    },
    'beside two hundred messages of either kind': async ({ say, newId }) => {
      for (let index = 0; index < 200; index++) say(index % 2 === 0 ? [] : never(newId))
      await Promise.resolve()
    },
    'where each thing that is said is answered by one that names what never comes': async (given) => {
      const { scene, bob, say, newId } = given
      for (let index = 0; index < 30; index++) {
        const said = await bob.rooms.say(ROOM, `word ${String(index)}`)
        await scene.calm()
        say([said, ...never(newId, 15)])
        await scene.calm()
        await scene.clock.advanceAsync(10)
      }
    },
  }

  test.each(Object.keys(ATTACKS))('%s', async (name) => {
    const given = await attack()
    const { scene, alice, bob } = given
    await bob.rooms.say(ROOM, 'before')
    await scene.calm()
    await ATTACKS[name]?.(given)
    await scene.calm()
    await bob.rooms.say(ROOM, 'after')
    await scene.calm()
    expect(alice.view().unread).toBeGreaterThan(5)
    await readAll(given)
    expect(alice.view().unread).toBe(0)
    // on another device, and after a start
    expect((await scene.member('alice-laptop')).view().unread).toBe(0)
    const again = await scene.member('alice-phone')
    expect(again.view().unread).toBe(0)
    const seen = bob.messages().filter((item) => item.kind === 'message' && item.own)
    for (const item of seen) expect(item).toMatchObject({ delivery: { kind: 'seen', people: [personId('alice')] } })

    // what is said next is unread, and read when it was seen
    await bob.rooms.say(ROOM, 'and then')
    await scene.calm()
    expect(again.view().unread).toBe(1)
    await readAll({ scene, alice: again })
    expect(again.view().unread).toBe(0)
    expect(marksOf(again)).toBeLessThanOrEqual(8)
  })

  test('and what comes late is not read because a member named it beside very much that never comes', async () => {
    const given = await attack()
    const { scene, alice, bob, mallory, say, newId } = given
    scene.network.part(alice.device, bob.device)
    const late = await bob.rooms.say(ROOM, 'You must read this.')
    scene.network.deliverAll()
    for (let index = 0; index < 20; index++) say([late, ...never(newId, 15)])
    await mallory.rooms.say(ROOM, 'nothing new')
    await scene.calm()
    await readAll(given)
    expect(alice.view().unread).toBe(0)
    expect(alice.texts()).not.toContain('You must read this.')
    scene.network.join()
    await scene.calm()
    expect(alice.view().unread).toBe(1)
    expect(alice.find('You must read this.').unread).toBe(true)
    await readAll(given)
    expect(alice.view().unread).toBe(0)
  })

  test('and nobody writes marks without end where it cannot all be told', async () => {
    const given = await attack()
    const { scene, alice, say, newId } = given
    for (let index = 0; index < 200; index++) say(never(newId))
    await scene.calm()
    // every second one: more stretches than a mark names
    const shown = alice.messages().filter((_, index) => index % 2 === 0)
    for (let round = 0; round < 20; round++) {
      alice.rooms.markSeen(
        ROOM,
        shown.map(({ id }) => id),
      )
      await scene.clock.advanceAsync(5_000)
      await scene.calm()
    }
    const unread = alice.messages().filter((item) => item.unread)
    expect(shown.filter((item) => unread.some(({ id }) => id === item.id))).toEqual([])
    expect(unread).toHaveLength(100)
    expect(marksOf(alice)).toBeLessThanOrEqual(8)
  })
})
