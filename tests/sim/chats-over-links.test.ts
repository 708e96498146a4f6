import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { createEvents, silentLogger, type ChatId } from '../../mesh/base/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import { createChats, markOf, type Chats } from '../../mesh/state/index.ts'
import { createVirtualNetwork } from '../kit/network.ts'
import { join, joinBy, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'
import { figures, route } from '../unit/state/scene.ts'

const network = createVirtualNetwork({ clock: systemClock, random: systemRandom })
const running = new Set<TestPeer>()
let hosts = 0
afterEach(async () => {
  await Promise.all([...running].map(stop))
})

/** A device with its chats open over its store, as a page has them. */
interface Device extends TestPeer {
  readonly chats: Chats
}

async function start(name: string, options: Parameters<typeof startPeer>[1] = {}): Promise<TestPeer> {
  const peer = await startPeer(name, { preset: network.preset(`host-${String(hosts++)}`), ...options })
  running.add(peer)
  return peer
}

async function withChats(peer: TestPeer): Promise<Device> {
  const { store, mesh } = peer
  const chats = await createChats({
    ...{ store, clock: systemClock, random: systemRandom, log: silentLogger, self: () => mesh.self },
    writers: {
      changes: createEvents<void>(() => undefined),
      find(mark) {
        const device = mesh.devices().find(({ id }) => markOf(id) === mark)
        return device === undefined ? 'gone' : { name: device.name, isLinked: device.state === 'online' }
      },
    },
  })
  chats.changes.subscribe(({ chat, stored }) => {
    if (stored && chat !== null) mesh.chats.wrote(chat)
  })
  mesh.chats.changes.subscribe((chat) => {
    chats.refresh({ chat }).catch(() => undefined)
  })
  await chats.refresh()
  return { ...peer, chats }
}

async function stop(peer: TestPeer): Promise<void> {
  for (const one of running) if (one.mesh === peer.mesh) running.delete(one)
  await peer.stop()
}

async function talk({ chats }: Device, question: string, answer: string, given?: ChatId): Promise<ChatId> {
  const chat = given ?? (await chats.create())
  const leaf = chats.get(chat)?.path.at(-1)?.id ?? null
  const writer = await chats.addAnswer(chat, await chats.addPersonMessage(chat, leaf, question))
  writer.route(route)
  writer.append(answer)
  await writer.finish({ state: 'done', figures })
  return chat
}

const textsOf = ({ chats }: Device, chat: ChatId): string[] => chats.get(chat)?.path.map(({ text }) => text) ?? []

/** All branches, also those that are not in view. */
const branches = ({ chats }: Device, chat: ChatId): string =>
  chats.get(chat) === undefined ? '' : chats.export(chat, 'json')

const shows = (device: Device, chat: ChatId, texts: readonly string[]): Promise<unknown> =>
  until(() => textsOf(device, chat).join() === texts.join(), { what: `${device.name} to show ${texts.join()}` })

/** Whether the bytes of a device's store say a word anywhere, in clear. */
function holds(peer: TestPeer, word: string): boolean {
  const { records, logs } = peer.store.data
  const all = [...records.values(), ...[...logs.values()].flat().map((entry) => entry.bytes)]
  return all.some((bytes) => Buffer.from(bytes).includes(word))
}

/** How many documents of chats a device keeps. */
const documentsOn = ({ store }: TestPeer): number =>
  [...store.data.records].filter(([key, value]) => key.startsWith('sync/name/') && Buffer.from(value).includes('chat-'))
    .length

test('a chat is on all devices of its person, by a helper that is the only one awake, and on nobody else’s', async () => {
  const helper = await start('Desktop')
  const laptop = await withChats(await start('Laptop'))
  const phone = await withChats(await start('Phone'))
  const bob = await start('Bob desktop')
  await join(laptop, helper)
  await join(phone, helper)
  await join(bob, helper, 'Bob')
  const chat = await talk(laptop, 'Where is the heliotrope?', 'In the garden.')
  await shows(phone, chat, ['Where is the heliotrope?', 'In the garden.'])
  expect(phone.chats.get(chat)).toEqual(laptop.chats.get(chat))

  await stop(phone)
  await talk(laptop, 'And the marigold?', 'Beside it.', chat)
  await until(() => holds(helper, 'Beside it.'), { what: 'the helper to have all of it' })
  await stop(laptop)
  const again = await withChats(await start('Phone', { store: phone.store }))
  await shows(again, chat, ['Where is the heliotrope?', 'In the garden.', 'And the marigold?', 'Beside it.'])
  await talk(again, 'Thanks.', 'Not at all.', chat)

  // a device that comes to the person later has all of it, what was written under older keys too
  const tablet = await withChats(await start('Tablet'))
  await join(tablet, helper)
  await shows(tablet, chat, [...textsOf(again, chat)])
  expect(documentsOn(helper)).toBe(1)
  expect(documentsOn(bob)).toBe(0)
  expect(holds(bob, 'heliotrope')).toBe(false)
})

test('an answer that another device is writing says so, is not called failed while that one is linked, and then is', async () => {
  const laptop = await withChats(await start('Laptop'))
  const phone = await withChats(await start('Phone'))
  await join(phone, laptop)
  await laptop.untilOnline(phone)
  const chat = await laptop.chats.create()
  const writer = await laptop.chats.addAnswer(chat, await laptop.chats.addPersonMessage(chat, null, 'one'))
  writer.append('Half')
  await until(() => phone.chats.get(chat)?.path[1] !== undefined, { what: 'the answer on the phone' })
  expect(phone.chats.get(chat)?.path[1]).toMatchObject({ state: 'waiting', elsewhere: 'Laptop' })
  await phone.chats.closeAbandoned()
  expect(phone.chats.get(chat)?.path[1]).toMatchObject({ state: 'waiting', elsewhere: 'Laptop' })
  await stop(laptop)
  await until(() => phone.chats.get(chat)?.path[1]?.state === 'failed', { what: 'the laptop to be gone' })
  expect(phone.chats.get(chat)?.path[1]).toMatchObject({ elsewhere: 'Laptop', error: { code: 'peer-gone' } })
})

test('a device that joins a person brings its chats along, and goes on with those of the person', async () => {
  const laptop = await withChats(await start('Laptop'))
  const before = await talk(laptop, 'from the laptop', 'yes')
  const phone = await withChats(await start('Phone'))
  const alone = await talk(phone, 'from the phone, alone', 'yes')
  await join(phone, laptop)
  await shows(phone, before, ['from the laptop', 'yes'])
  await shows(laptop, alone, ['from the phone, alone', 'yes'])
  await talk(phone, 'and on', 'yes', before)
  await shows(laptop, before, ['from the laptop', 'yes', 'and on', 'yes'])
  // its own mesh was left; what it had there is not lost and not doubled
  expect(phone.chats.list()).toHaveLength(2)
  expect(laptop.chats.list()).toHaveLength(2)

  // and once more, into the mesh of somebody else, as a person of its own
  const eve = await start('Eve')
  await join(phone, eve, 'Visitor')
  await talk(phone, 'elsewhere', 'yes', alone)
  const other = await withChats(await start('Second phone'))
  const invitation = await phone.mesh.invite({ confirmation: 'in-advance' })
  await joinBy(other, phone, invitation.url)
  await shows(other, alone, ['from the phone, alone', 'yes', 'elsewhere', 'yes'])
  expect(documentsOn(eve)).toBe(0)
  expect(textsOf(laptop, alone)).toEqual(['from the phone, alone', 'yes'])
})

test('a removed device gets nothing newer', async () => {
  const laptop = await withChats(await start('Laptop'))
  const phone = await withChats(await start('Phone'))
  await join(phone, laptop)
  const chat = await talk(laptop, 'one', 'two')
  await shows(phone, chat, ['one', 'two'])
  await laptop.mesh.remove(phone.mesh.self)
  await talk(laptop, 'the marigold', 'is a secret', chat)
  await until(() => phone.mesh.standing() === 'removed', { what: 'the removal' })
  const late = await talk(phone, 'from outside', 'alone')
  expect(textsOf(phone, chat)).toEqual(['one', 'two'])
  expect(holds(phone, 'marigold')).toBe(false)
  expect(laptop.chats.get(late)).toBe(undefined)
})

test('what a device wrote that was given older keys when it came, and was removed since, is on one that comes later', async () => {
  const laptop = await withChats(await start('Laptop'))
  const chat = await talk(laptop, 'one', 'two')
  // the key of the chats is there before the phone is, and is given to it
  const phone = await withChats(await start('Phone'))
  await join(phone, laptop)
  await shows(phone, chat, ['one', 'two'])
  await talk(phone, 'three', 'four', chat)
  await shows(laptop, chat, ['one', 'two', 'three', 'four'])
  await laptop.mesh.remove(phone.mesh.self)
  await stop(phone)
  const tablet = await withChats(await start('Tablet'))
  await join(tablet, laptop)
  // a branch aside, until the laptop has told that it had them: see SYNC_ENDS_PAUSE_MIN_MS
  await until(() => ['one', 'two', 'three', 'four'].every((text) => branches(tablet, chat).includes(`"${text}"`)), {
    what: 'the tablet to have them',
  })
})

test('a deleted chat is gone everywhere, also from a helper, and an import brings it back to all', async () => {
  const helper = await start('Desktop')
  const laptop = await withChats(await start('Laptop'))
  const phone = await withChats(await start('Phone'))
  await join(laptop, helper)
  await join(phone, helper)
  const chat = await talk(laptop, 'the heliotrope', 'is a secret')
  await shows(phone, chat, ['the heliotrope', 'is a secret'])
  await until(() => holds(helper, 'heliotrope'), { what: 'the helper to have it' })
  const pair = recoveryKeys(createRecoverySecret(systemRandom)).seal
  const parts: Uint8Array[] = []
  // a helper without a page exports the chats of its person too
  for await (const part of helper.mesh.exportAll({ lock: { kind: 'recovery', publicKey: pair.publicKey } })) parts.push(part) // prettier-ignore
  await phone.chats.delete(chat)
  for (const device of [helper, laptop, phone])
    await until(() => !holds(device, 'heliotrope'), { what: `${device.name} to forget it` })
  await until(() => laptop.chats.list().length === 0, { what: 'the laptop to show it no more' })

  async function* archive(): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield await Promise.resolve(part)
  }
  const imported = (): ReturnType<typeof helper.mesh.importAll> =>
    helper.mesh.importAll(archive(), { key: { kind: 'recovery', pair } })
  expect(await imported()).toEqual({ rooms: 0, chats: 1 })
  for (const device of [laptop, phone]) await shows(device, chat, ['the heliotrope', 'is a secret'])
  expect(await imported()).toEqual({ rooms: 0, chats: 0 })
  expect(laptop.chats.get(chat)).toEqual(phone.chats.get(chat))
})
