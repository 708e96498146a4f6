import { describe, expect, test } from 'vitest'
import {
  silentLogger,
  CHAT_ORDER_MAX,
  ROOM_ORDER_MAX,
  type ChatId,
  type DeviceId,
  type MessageId,
} from '../../mesh/base/index.ts'
import { archivedChats, takeChat, type ArchivedChat } from '../../mesh/state/archived-chats.ts'
import { entryId, markOf } from '../../mesh/state/entry-id.ts'
import { encodeOperation, type Operation } from '../../mesh/state/operations.ts'
import { decodeRoomOperation, encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import { openChatScene, type ChatDevice } from '../kit/chat-devices.ts'
import { createSeededRandom } from '../kit/random.ts'
import { settle } from '../kit/clock.ts'
import {
  answerWith,
  createRoomScene,
  ROOM,
  type PersonaDevice,
  type RoomMember,
  type RoomScene,
} from '../unit/state/room-scene.ts'

// A member, or a stolen device, claims the greatest place there is, under an id that sorts after every
// id that is made by chance. Whoever has seen that writes on, and is right.

/** Last among all ids that end with the mark of this device. */
const lastId = (device: DeviceId, index = 0): MessageId =>
  (String(index).padStart(6, 'z').padStart(26, 'z') + markOf(device)) as MessageId

interface Attack {
  readonly scene: RoomScene
  readonly alice: RoomMember
  readonly bob: RoomMember
  /** Puts an operation in as a device with software of its own does. */
  plant(happening: RoomHappening, id?: string): MessageId
  everybody(): readonly RoomMember[]
}

async function attack(by: PersonaDevice = 'mallory-phone'): Promise<Attack> {
  const scene = createRoomScene()
  const alice = await scene.member('alice-laptop')
  const bob = await scene.member('bob-phone')
  const thief = await scene.member(by)
  let count = 0
  return {
    scene,
    alice,
    bob,
    everybody: () => [alice, bob, thief],
    plant(happening, id = lastId(thief.device, count++)) {
      thief.document.plant(id, encodeRoomOperation(happening), scene.clock.now())
      return id as MessageId
    },
  }
}

const order = ROOM_ORDER_MAX

describe('nobody has the last word in a room', () => {
  test.each([1, 40])('about its name and rule, with %i operations at the end of all places', async (count) => {
    const { scene, alice, bob, plant, everybody } = await attack()
    for (let index = 0; index < count; index++) {
      plant({ op: 'name', order, name: 'Owned' })
      plant({ op: 'rule', order, rule: 'every-message' })
    }
    await scene.calm()
    for (const [who, name] of [
      [alice, 'Family'],
      [bob, 'All of us'],
      [alice, 'Family again'],
    ] as const) {
      await who.rooms.rename(ROOM, name)
      await who.rooms.setRule(ROOM, 'when-asked')
      await scene.calm()
      expect(everybody().map((member) => member.view().name)).toEqual([name, name, name])
      expect(everybody().map((member) => member.view().rule)).toEqual(['when-asked', 'when-asked', 'when-asked'])
    }
    await alice.rooms.say(ROOM, 'And no engine is asked for it.')
    await settle()
    expect(alice.asks).toEqual([])
  })

  test('by taking back what others said that they had seen', async () => {
    const { scene, alice, plant, everybody } = await attack()
    const names = Array.from({ length: 3 }, () => plant({ op: 'name', order, name: 'Owned' }))
    plant({ op: 'name', order, name: 'Owned after all', after: names }, 'owned-after-all')
    await scene.calm()
    await alice.rooms.rename(ROOM, 'Family')
    await scene.calm()
    const mallory = everybody()[2]
    for (const id of [...names, 'owned-after-all'].slice(1)) await mallory?.document.erase(id)
    await scene.calm()
    expect(everybody().map((member) => member.view().name)).toEqual(['Family', 'Family', 'Family'])
  })

  test('at its end', async () => {
    const { scene, alice, bob, plant, everybody } = await attack()
    for (let index = 0; index < 40; index++) plant({ op: 'say', order, parents: [] })
    await scene.calm()
    await alice.rooms.say(ROOM, 'one')
    await scene.calm()
    await bob.rooms.say(ROOM, 'two')
    await alice.rooms.say(ROOM, 'three')
    await scene.calm()
    for (const member of everybody()) {
      expect(
        member
          .texts()
          .slice(-3)
          .filter((text) => text !== ''),
      ).toHaveLength(3)
      expect(member.texts().indexOf('one')).toBe(40)
      expect(member.view().last?.excerpt).not.toBe('')
    }
    expect(bob.texts()).toEqual(alice.texts())
  })

  test('at its end, by messages that say they have seen each other', async () => {
    const { scene, alice, plant, everybody } = await attack()
    const [one, other] = ['zzz-one', 'zzz-other'] as const
    plant({ op: 'say', order, parents: [other as MessageId] }, one)
    plant({ op: 'say', order, parents: [one as MessageId] }, other)
    await scene.calm()
    const next = await alice.rooms.say(ROOM, 'below')
    await scene.calm()
    for (const id of ['between-one', 'between-other'])
      plant(
        { op: 'say', order: 0, parents: [next, id === 'between-one' ? 'between-other' : 'between-one'] as MessageId[] },
        id,
      )
    await scene.calm()
    for (const member of everybody()) {
      const ids = member.messages().map(({ id }) => id)
      expect(ids.slice(0, 3)).toEqual([one, other, next])
      expect(ids.slice(3).sort()).toEqual(['between-one', 'between-other'])
    }
  })

  test('and who was seen claiming a day that has not come moves nobody else’s time', async () => {
    const { scene, alice, bob, plant } = await attack()
    plant({ op: 'say', order, parents: [] })
    plant({ op: 'name', order: scene.clock.now() + 30 * 24 * 3_600_000, name: 'Owned' })
    await scene.calm()
    await alice.rooms.say(ROOM, 'seen by all')
    await scene.calm()
    scene.network.part(alice.device, bob.device)
    for (const [who, text] of [
      [alice, '1'],
      [alice, '2'],
      [alice, '3'],
      [bob, '4'],
      [alice, '5'],
      [bob, '6'],
    ] as const) {
      await scene.clock.advanceAsync(1_000)
      await who.rooms.say(ROOM, text)
    }
    scene.network.join()
    await scene.calm()
    expect(alice.texts()).toEqual(['', 'seen by all', '1', '2', '3', '4', '5', '6'])
    expect(bob.texts()).toEqual(alice.texts())
    for (const stored of alice.document.operations().values()) {
      const decoded = decodeRoomOperation(stored.bytes)
      if (stored.author !== alice.device || decoded.kind !== 'operation' || !('order' in decoded.operation)) continue
      expect(decoded.operation.order).toBeLessThan(scene.clock.now() + 1_000)
    }
  })

  test('about whether an answer is hidden', async () => {
    const { scene, alice, plant, everybody } = await attack()
    await alice.rooms.say(ROOM, '@ai hello', { mentions: ['ai'] })
    await settle()
    const [ask] = alice.asks
    if (ask !== undefined) answerWith(ask, ['Hello.'])
    await scene.calm()
    const answer = alice.find('Hello.').id
    plant({ op: 'hide', order, answer, hidden: true })
    await scene.calm()
    await alice.rooms.hide(ROOM, answer, false)
    await scene.calm()
    for (const member of everybody()) expect(member.find('Hello.')).toMatchObject({ hiddenBy: undefined })
  })

  test('about what its own person wrote, from a stolen device', async () => {
    const { scene, alice, plant, everybody } = await attack('alice-phone')
    const message = await alice.rooms.say(ROOM, 'Meet at nine.')
    for (let index = 0; index < 3; index++) plant({ op: 'text', order, message, text: 'Send money.' })
    await scene.calm()
    // each one erases the one before it
    for (const text of ['Meet at ten.', 'Meet at eleven.', 'Meet at noon.']) {
      await alice.rooms.edit(ROOM, message, text)
      await scene.calm()
      for (const member of everybody()) expect(member.texts()).toEqual([text])
    }
  })

  test('and its name is drawn as what it is, whoever wrote it', async () => {
    const { scene, alice, plant, everybody } = await attack()
    plant({ op: 'name', order: 5, name: 'gpj\u202Egalloh\u0000\u2066 ' })
    plant({ op: 'name', order: 6, name: '\u200B\u3164' })
    await scene.calm()
    for (const member of everybody()) expect(member.view().name).toBe('gpj galloh')
    await alice.rooms.rename(ROOM, ' Fam\u202Eily\n')
    expect(alice.view().name).toBe('Fam ily')
    const names = [...alice.document.operations().values()].flatMap(({ author, bytes }) => {
      const { operation } = decodeRoomOperation(bytes) as { operation?: RoomHappening }
      return author === alice.device && operation?.op === 'name' ? [operation.name] : []
    })
    expect(names).toEqual(['Fam ily'])
    await expect(alice.rooms.rename(ROOM, '\u202E')).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('a stolen device has no last word in a chat', () => {
  const random = createSeededRandom('thief')
  interface Stolen {
    readonly laptop: ChatDevice
    readonly other: ChatDevice
    readonly chat: ChatId
    readonly calm: () => Promise<void>
    readonly plant: (happening: object) => void
  }
  const steal = async (seed: string): Promise<Stolen> => {
    const { devices, documents, calm } = await openChatScene(seed, [0, 0, 0])
    const [laptop, other, phone] = devices as [ChatDevice, ChatDevice, ChatDevice]
    const chat = await laptop.chats.create()
    await laptop.chats.addPersonMessage(chat, null, 'one')
    await calm()
    let count = 0
    const plant = (happening: object): void => {
      const id = lastId(phone.self, count++)
      const operation = { v: 1, id, at: 1, order: CHAT_ORDER_MAX, chat, ...happening } as unknown as Operation
      documents[2]?.plant(chat, { id, bytes: encodeOperation(operation) })
    }
    return { laptop, other, chat, calm, plant }
  }

  test('about its title and its model', async () => {
    const { laptop, other, chat, calm, plant } = await steal('title')
    for (let index = 0; index < 20; index++) {
      plant({ op: 'title', title: 'Owned' })
      plant({ op: 'model', model: 'owned' })
    }
    await calm()
    for (const [who, title] of [
      [laptop, 'Moon'],
      [other, 'Sun'],
      [laptop, 'Moon again'],
    ] as const) {
      await who.chats.rename(chat, title)
      await who.chats.chooseModel(chat, title as never)
      await calm()
      for (const { chats } of [laptop, other]) expect(chats.get(chat)).toMatchObject({ title, model: title })
    }
  })

  test('about the branch in view', async () => {
    const { laptop, other, chat, calm, plant } = await steal('branch')
    const first = laptop.chats.get(chat)?.path[0]?.id
    const message = entryId(1, random, laptop.self)
    plant({ op: 'say', message, parent: null, text: 'owned' })
    plant({ op: 'show', message })
    await calm()
    if (first === undefined) throw new TypeError('nothing was said')
    await laptop.chats.showBranch(chat, first)
    await calm()
    for (const { chats } of [laptop, other]) expect(chats.get(chat)?.path.map(({ text }) => text)).toEqual(['one'])
    await other.chats.addPersonMessage(chat, null, 'two')
    await calm()
    for (const { chats } of [laptop, other]) expect(chats.get(chat)?.path.map(({ text }) => text)).toEqual(['two'])
  })
  test('about whether there is one', async () => {
    const { laptop, other, chat, calm, plant } = await steal('being')
    const archive: ArchivedChat[] = []
    for await (const one of archivedChats({ store: laptop.store, log: silentLogger })) archive.push(one)
    plant({ op: 'deleted' })
    await calm()
    expect(laptop.chats.list()).toEqual([])
    for (const one of archive) await takeChat(laptop.store, one, { newId: () => entryId(5, random, laptop.self) })
    laptop.mirror.wrote(chat)
    await laptop.chats.refresh()
    await calm()
    for (const { chats } of [laptop, other]) expect(chats.get(chat)?.path.map(({ text }) => text)).toEqual(['one'])
    plant({ op: 'chat' })
    await calm()
    await other.chats.delete(chat)
    await calm()
    for (const { chats } of [laptop, other]) expect(chats.list()).toEqual([])
  })
})
