import * as cbor from '@ipld/dag-cbor'
import { describe, expect, it } from 'vitest'
import {
  asId,
  CHAT_OPERATIONS_MAX,
  CHAT_ORDER_MAX,
  silentLogger,
  type ChatId,
  type DeviceId,
  type MessageId,
} from '../../../mesh/base/index.ts'
import { reconcileChat, startReading } from '../../../mesh/state/chat-reconcile.ts'
import { decodeOperation, encodeOperation, type Operation } from '../../../mesh/state/operations.ts'
import { archivedChats, entryId, takeChat, type ArchivedChat, type Chats } from '../../../mesh/state/index.ts'
import { createChatWorld, openChatScene, type ChatDevice, type ChatScene } from '../../kit/chat-devices.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { figures, route } from './scene.ts'

const textsOf = (chats: Chats, chat: ChatId): string[] => chats.get(chat)?.path.map(({ text }) => text) ?? []

async function talk(chats: Chats, chat: ChatId, question: string, answer: string): Promise<MessageId> {
  const leaf = chats.get(chat)?.path.at(-1)?.id ?? null
  const writer = await chats.addAnswer(chat, await chats.addPersonMessage(chat, leaf, question))
  writer.route(route)
  writer.append(answer)
  await writer.finish({ state: 'done', figures })
  return writer.id
}

const pair = async (seed: string): Promise<ChatScene & { laptop: ChatDevice; phone: ChatDevice }> => {
  const scene = await openChatScene(seed, [0, 0])
  const [laptop, phone] = scene.devices as [ChatDevice, ChatDevice]
  return { ...scene, laptop, phone }
}

const words = ({ store }: ChatDevice): string =>
  [...store.data.logs, ...store.data.records].map(([, value]) => Buffer.from('length' in value && typeof value[0] === 'number' ? (value as Uint8Array) : Buffer.concat((value as readonly { bytes: Uint8Array }[]).map(({ bytes }) => bytes))).toString()).join() // prettier-ignore

describe('a chat on all devices of a person', () => {
  it('is gone on with on another device, and both show the same, word for word', async () => {
    const { laptop, phone, calm } = await pair('both')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'How far is the moon?', '384,400 km.')
    await laptop.chats.rename(chat, 'Moon')
    await laptop.chats.chooseModel(chat, route.model)
    await calm()
    expect(phone.chats.get(chat)).toEqual(laptop.chats.get(chat))
    await talk(phone.chats, chat, 'And the sun?', '149.6 million km.')
    await calm()
    expect(textsOf(laptop.chats, chat)).toEqual(['How far is the moon?', '384,400 km.', 'And the sun?', '149.6 million km.']) // prettier-ignore
    expect(laptop.chats.get(chat)).toEqual(phone.chats.get(chat))
    expect(laptop.chats.get(chat)).toMatchObject({ title: 'Moon', model: route.model })
  })

  it('keeps both branches that were added at the same moment, and shows the same one on both', async () => {
    const { laptop, phone, calm, network } = await pair('branches')
    const chat = await laptop.chats.create()
    const answer = await talk(laptop.chats, chat, 'one', 'two')
    await calm()
    network.partition([laptop.self], [phone.self])
    await Promise.all([
      laptop.chats.addPersonMessage(chat, answer, 'from the laptop'),
      phone.chats.addPersonMessage(chat, answer, 'from the phone'),
    ])
    await calm()
    network.partition()
    await calm()
    expect(phone.chats.get(chat)).toEqual(laptop.chats.get(chat))
    expect(laptop.chats.get(chat)?.path.at(-1)?.siblings).toHaveLength(2)
  })

  it('that was deleted leaves no word on any device, also where somebody wrote into it meanwhile', async () => {
    const { laptop, phone, calm, network, documents, restart } = await pair('delete')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'a secret', 'kept secret')
    await calm()
    network.partition([laptop.self], [phone.self])
    await talk(phone.chats, chat, 'more of the secret', 'no secret any more')
    await laptop.chats.delete(chat)
    await calm()
    network.partition()
    await calm()
    for (const index of [0, 1]) {
      const device = await restart(index)
      await calm()
      expect(device.chats.list()).toEqual([])
      expect(words(device)).not.toContain('secret')
      expect(documents[index]?.entriesOf(chat).map(({ bytes }) => operationOf(bytes)?.op)).toEqual(['deleted'])
    }
  })

  it('that was deleted takes no room any more, on the device that wrote it and on the others', async () => {
    const world = await createChatWorld('room', [0, 0])
    const [laptop, phone] = world.devices as [ChatDevice, ChatDevice]
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'long', 'x'.repeat(100_000))
    await talk(phone.chats, await phone.chats.create(), 'stays', 'y'.repeat(100_000))
    await world.calm()
    const sizes = (): number[] =>
      [laptop, phone].map(({ store }) =>
        [...store.data.logs].flatMap(([, entries]) => entries).reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      )
    for (const size of sizes()) expect(size).toBeGreaterThan(400_000)
    await phone.chats.delete(chat)
    await world.calm()
    for (const size of sizes()) expect(size).toBeLessThan(250_000)
    await world.stop()
  })

  it('shows an answer that another device is writing as that, and leaves its end to that device', async () => {
    const { laptop, phone, calm, restart } = await pair('writing')
    const chat = await laptop.chats.create()
    const writer = await laptop.chats.addAnswer(chat, await laptop.chats.addPersonMessage(chat, null, 'one'))
    writer.append('Half of it')
    await calm()
    const seen = { state: 'waiting', text: '', elsewhere: 'another' }
    expect(phone.chats.get(chat)?.path[1]).toMatchObject(seen)
    expect(phone.chats.list()[0]).toMatchObject({ lastState: 'waiting', elsewhere: 'another' })
    // its own start closes what its own page left, and nothing else
    const again = await restart(1)
    await calm()
    expect(again.chats.get(chat)?.path[1]).toMatchObject(seen)
    await expect(again.chats.addAnswer(chat, writerQuestion(again.chats, chat), { id: writer.id })).rejects.toMatchObject({ code: 'conflict' }) // prettier-ignore
    await writer.finish({ state: 'done', figures })
    await calm()
    expect(again.chats.get(chat)?.path[1]).toMatchObject({ state: 'done', text: 'Half of it' })
    expect(again.chats.get(chat)).toEqual(laptop.chats.get(chat))
  })

  it('is there with answers of the greatest length, in pieces', async () => {
    const world = await createChatWorld('long', [0, 0])
    const [laptop, phone] = world.devices as [ChatDevice, ChatDevice]
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'long', 'x'.repeat(1_500_000))
    await world.calm()
    expect(phone.chats.get(chat)?.path[1]?.text).toHaveLength(1_500_000)
    expect(phone.chats.get(chat)).toEqual(laptop.chats.get(chat))
    await world.stop()
  })

  it('is read once: what is the same on both is not opened at the next start', async () => {
    const { laptop, calm, restart, documents } = await pair('marks')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    await calm()
    await laptop.mirror.stop()
    const device = await restart(0)
    await device.mirror.idle()
    expect(documents[0]?.opened).toEqual([])
    expect(textsOf(device.chats, chat)).toEqual(['one', 'two'])
    // and what is not the same any more is
    await talk(device.chats, chat, 'three', 'four')
    await device.mirror.idle()
    expect(documents[0]?.opened).toEqual([chat])
  })

  it('of which a log lost its end gets that back, and is gone on with', async () => {
    const { laptop, phone, calm, restart } = await pair('lost end')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    await talk(laptop.chats, chat, 'three', 'four')
    await calm()
    await laptop.mirror.stop()
    laptop.store.data.logs.get(`chats/log/${chat}`)?.splice(-2)
    const device = await restart(0)
    await calm()
    await device.chats.refresh()
    expect(textsOf(device.chats, chat)).toEqual(['one', 'two', 'three', 'four'])
    await talk(device.chats, chat, 'five', 'six')
    await calm()
    expect(phone.chats.get(chat)).toEqual(device.chats.get(chat))
    expect(textsOf(phone.chats, chat)).toHaveLength(6)
  })
})

const writerQuestion = (chats: Chats, chat: ChatId): MessageId => chats.get(chat)?.path[0]?.id as MessageId

function operationOf(bytes: Uint8Array): Operation | undefined {
  const decoded = decodeOperation(bytes)
  return decoded.kind === 'operation' ? decoded.operation : undefined
}

describe('a device that ends at any write', () => {
  it('has everything that was acknowledged, once, and so have the others, when it comes back', async () => {
    for (const torn of [false, true]) {
      for (let atWrite = 1; ; atWrite++) {
        const world = await createChatWorld(`kill ${String(atWrite)} ${String(torn)}`, [0, 0])
        const [laptop, phone] = world.devices as [ChatDevice, ChatDevice]
        const foreign = await phone.chats.create()
        await talk(phone.chats, foreign, 'from the phone', 'yes')
        const before = laptop.store.writeCount
        laptop.store.failWrites({ code: 'storage-failed', atWrite, count: 1_000_000, torn })
        const acknowledged: string[] = []
        let chat: ChatId | undefined
        try {
          chat = await laptop.chats.create()
          await world.calm()
          await talk(laptop.chats, chat, 'one', 'two')
          acknowledged.push('one', 'two')
          await world.calm()
          await talk(laptop.chats, chat, 'three', 'four')
          acknowledged.push('three', 'four')
        } catch {
          // its disk is gone
        }
        await world.calm()
        const isDone = laptop.store.writeCount - before < atWrite
        const again = await world.restart(0)
        await world.calm()
        for (const { chats } of [again, phone]) {
          expect(textsOf(chats, foreign)).toEqual(['from the phone', 'yes'])
          const texts = chat === undefined ? [] : textsOf(chats, chat)
          expect(texts.slice(0, acknowledged.length), `write ${String(atWrite)}`).toEqual(acknowledged)
          expect(new Set(texts).size).toBe(texts.length)
          if (chat !== undefined) expect(chats.get(chat)).toEqual(again.chats.get(chat))
        }
        expect(again.chats.list().map(({ id }) => id)).toEqual(phone.chats.list().map(({ id }) => id))
        await world.stop()
        if (isDone) break
      }
    }
  }, 60_000)
})

describe('what a hostile device of the same person writes', () => {
  const random = createSeededRandom('hostile')
  const sayAs = (device: DeviceId, given: Partial<Operation> & { chat: ChatId }, text: string): Operation =>
    ({ v: 1, id: entryId(1, random, device), at: 1, op: 'say', message: entryId(1, random, device), parent: null, text, ...given }) as Operation // prettier-ignore
  const plant = (scene: ChatScene, chat: ChatId, id: string, bytes: Uint8Array): void => {
    scene.documents[1]?.plant(chat, { id, bytes })
  }

  it('does not take the place of an operation or a message of another, on devices that know it or learn both at once', async () => {
    const scene = await openChatScene('place', [0, 0, 0])
    const [laptop, mallory, tablet] = scene.devices as [ChatDevice, ChatDevice, ChatDevice]
    scene.network.partition([laptop.self, mallory.self], [tablet.self])
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'mine', 'mine too')
    await scene.calm()
    const original = scene.documents[0]?.entriesOf(chat).flatMap(({ bytes }) => operationOf(bytes) ?? []) ?? []
    for (const operation of original) {
      if (operation.op !== 'say' && operation.op !== 'end') continue
      // under the very id of what it is to push out, and under one of its own
      plant(scene, chat, operation.id, encodeOperation({ ...operation, at: 1, text: 'forged' }))
      const own = { ...operation, at: 1, id: entryId(1, random, mallory.self), text: 'forged' }
      plant(scene, chat, own.id, encodeOperation(own))
    }
    await scene.calm()
    scene.network.partition()
    await scene.calm()
    for (const { chats } of [laptop, tablet]) expect(textsOf(chats, chat)).toEqual(['mine', 'mine too'])
    expect(tablet.chats.get(chat)).toEqual(laptop.chats.get(chat))
  })

  it('is skipped where it is nothing, another chat’s, or what no device may hand on', async () => {
    const scene = await pair('nothing')
    const { laptop, phone, calm } = scene
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    await calm()
    const other = asId<ChatId>('another')
    const id = (): string => entryId(1, random, phone.self)
    const say = sayAs(phone.self, { chat }, 'x')
    for (const [name, bytes] of [
      [id(), random.bytes(200)],
      [id(), cbor.encode({ v: 1, op: 'say' })],
      [id(), encodeOperation(say)],
      [say.id, encodeOperation({ ...say, chat: other })],
      ['draft', encodeOperation({ v: 1, id: 'draft', at: 1, op: 'draft', chat, message: asId('a'), part: 0, text: 'x', route: undefined })], // prettier-ignore
      ['packed', encodeOperation({ v: 1, id: 'packed', at: 1, op: 'carried', chat, by: laptop.self, bytes: encodeOperation(say) })], // prettier-ignore
    ] as const)
      plant(scene, chat, name, bytes)
    plant(scene, chat, 'newer', cbor.encode({ v: 9, op: 'say', id: 'newer', chat }))
    await calm()
    expect(textsOf(laptop.chats, chat)).toEqual(['one', 'two'])
    expect(laptop.chats.health()).toEqual({ corruptEntries: 0, newerEntries: 0 })
    expect((await scene.restart(0)).chats.get(chat)).toEqual(phone.chats.get(chat))
  })

  it('makes no chat that nobody can delete', async () => {
    const scene = await pair('undead')
    const { laptop, phone, calm } = scene
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    await calm()
    const id = `zzzzzzzzzzzzzzzzzzzzzzzzzz${entryId(1, random, phone.self).slice(-10)}`
    plant(scene, chat, id, encodeOperation({ v: 1, id, at: 1, order: CHAT_ORDER_MAX, op: 'chat', chat }))
    await calm()
    await laptop.chats.delete(chat)
    await calm()
    expect(laptop.chats.list()).toEqual([])
    expect((await scene.restart(0)).chats.list()).toEqual([])
    expect(words(laptop)).not.toContain('two')
  })

  it('is refused where it is too much, with a code, told once, and what is here goes on', async () => {
    const { laptop, phone, calm, documents } = await pair('much')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    await calm()
    await laptop.mirror.stop()
    const document = await documents[0]?.open(chat, {})
    const held = startReading(chat)
    const ports = { store: laptop.store, log: silentLogger, self: laptop.self }
    if (document === undefined) throw new TypeError('there is no document')
    const pass = () => reconcileChat(ports, { document, held }, {})
    expect(await pass()).toEqual({ toDocument: false, toStore: false })
    // a log as full as it may be
    held.count = CHAT_OPERATIONS_MAX
    const more = sayAs(phone.self, { chat }, 'more')
    documents[0]?.plantAs(phone.self, chat, { id: more.id, bytes: encodeOperation(more) })
    expect(await pass()).toMatchObject({ toDocument: false, toStore: false, refused: { code: 'too-large' } })
    await laptop.chats.rename(chat, 'goes on')
    expect(await pass()).toMatchObject({ toDocument: true, toStore: false, refused: undefined })
    await laptop.chats.refresh()
    expect(textsOf(laptop.chats, chat)).toEqual(['one', 'two'])
  })
})

describe('an imported chat', () => {
  const archived = async ({ store }: ChatDevice): Promise<ArchivedChat[]> => {
    const all: ArchivedChat[] = []
    for await (const chat of archivedChats({ store, log: silentLogger })) all.push(chat)
    return all
  }
  const imported = async (device: ChatDevice, all: readonly ArchivedChat[]): Promise<string[]> => {
    const random = createSeededRandom(device.self)
    const results = []
    for (const chat of all) {
      results.push(await takeChat(device.store, chat, { newId: () => entryId(5, random, device.self) }))
      device.mirror.wrote(chat.id)
    }
    await device.chats.refresh()
    return results
  }

  it('is not doubled where another device has it, nor by a second import there', async () => {
    const { laptop, phone, calm, network } = await pair('import')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    const all = await archived(laptop)
    network.partition([laptop.self], [phone.self])
    expect(await imported(phone, all)).toEqual(['made'])
    await talk(phone.chats, chat, 'three', 'four')
    await calm()
    network.partition()
    await calm()
    expect(await imported(phone, all)).toEqual(['known'])
    await calm()
    expect(textsOf(laptop.chats, chat)).toEqual(['one', 'two', 'three', 'four'])
    expect(phone.chats.get(chat)).toEqual(laptop.chats.get(chat))
  })

  it('that had been deleted is back on all devices: that is what its person did last', async () => {
    const { laptop, phone, calm } = await pair('back')
    const chat = await laptop.chats.create()
    await talk(laptop.chats, chat, 'one', 'two')
    await calm()
    const all = await archived(laptop)
    await laptop.chats.delete(chat)
    await calm()
    expect(phone.chats.list()).toEqual([])
    expect(await imported(phone, all)).toEqual(['made'])
    await calm()
    for (const { chats } of [laptop, phone]) expect(textsOf(chats, chat)).toEqual(['one', 'two'])
    expect(laptop.chats.get(chat)).toEqual(phone.chats.get(chat))
    await phone.chats.delete(chat)
    await calm()
    expect(laptop.chats.list()).toEqual([])
  })
})
