import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger, type RoomId } from '../../mesh/base/index.ts'
import { createRecoverySecret, recoveryKeys, type ArchiveKey, type ArchiveLock } from '../../mesh/seal/index.ts'
import { createChats, type Chats, type RoomAnswer, type RoomMessage, type RoomView } from '../../mesh/state/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { createVirtualNetwork } from '../kit/network.ts'
import { join, joinBy, startPeer, type TestPeer } from '../kit/peers.ts'
import { CHEAP } from '../kit/vault.ts'
import { until } from '../kit/wait.ts'

const network = createVirtualNetwork({ clock: systemClock, random: systemRandom })
const running = new Set<TestPeer>()
let hosts = 0
afterEach(async () => {
  await Promise.all([...running].map(stop))
})

async function start(name: string, options: Parameters<typeof startPeer>[1] = {}): Promise<TestPeer> {
  const peer = await startPeer(name, { preset: network.preset(`host-${String(hosts++)}`), ...options })
  running.add(peer)
  return peer
}
async function stop(peer: TestPeer): Promise<void> {
  running.delete(peer)
  await peer.stop()
}

const pair = recoveryKeys(createRecoverySecret(systemRandom)).seal
const LOCK: ArchiveLock = { kind: 'recovery', publicKey: pair.publicKey }
const KEY: ArchiveKey = { kind: 'recovery', pair }

async function exported(peer: TestPeer, lock: ArchiveLock = LOCK): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of peer.mesh.exportAll({ lock })) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}
async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 50_000) yield await Promise.resolve(bytes.subarray(at, at + 50_000))
}
const imported = (
  peer: TestPeer,
  bytes: Uint8Array,
  key: ArchiveKey = KEY,
): ReturnType<TestPeer['mesh']['importAll']> => peer.mesh.importAll(inPieces(bytes), { key })

async function view(peer: TestPeer, room: RoomId): Promise<RoomView> {
  await peer.mesh.rooms.rooms.open(room)
  const shown = peer.mesh.rooms.rooms.get(room)
  if (shown === undefined) throw new TypeError('the room is not open')
  return shown
}
const messagesOf = ({ items }: RoomView): (RoomMessage | RoomAnswer)[] =>
  items.filter((item) => item.kind === 'message' || item.kind === 'answer')
const textsOf = (shown: RoomView): string[] => messagesOf(shown).map((item) => item.text)
const roomsOf = (peer: TestPeer): readonly { readonly id: RoomId; readonly name: string }[] =>
  peer.mesh.rooms.rooms.list()

/** Alice and Bob talk in a room of Alice's; some of it is edited or deleted. */
async function conversation(): Promise<{ alice: TestPeer; bob: TestPeer; room: RoomId }> {
  const alice = await start('Alice')
  const bob = await start('Bob')
  await join(bob, alice, 'Bob')
  await until(() => alice.mesh.rooms.people().length === 2, { what: 'Bob to be there' })
  const { rooms } = alice.mesh.rooms
  const people = alice.mesh.rooms.people().map((person) => person.id)
  const room = await rooms.create({ name: 'Cabin', people, history: 'all' })
  await rooms.say(room, 'Who has the key?')
  await until(() => bob.mesh.rooms.rooms.list().length === 1, { what: 'Bob to see the room' })
  await bob.mesh.rooms.rooms.open(room)
  await until(() => bob.mesh.rooms.rooms.get(room)?.unread === 1, { what: 'the first message to reach Bob' })
  await bob.mesh.rooms.rooms.say(room, 'I do.')
  await until(() => rooms.get(room)?.items.length === 2, { what: 'the second to reach Alice' })
  const third = await rooms.say(room, 'Leave it under the stoone.')
  await rooms.edit(room, third, 'Leave it under the stone.')
  await rooms.delete(room, await rooms.say(room, 'I never said this.'))
  return { alice, bob, room }
}

const chatsOf = (store: MemoryStore): Promise<Chats> =>
  createChats({ store, clock: systemClock, random: systemRandom, log: silentLogger })

describe('an archive of everything', () => {
  test('brings rooms into a fresh device, readable with who wrote what and when, and nobody is taken for a member', async () => {
    const { alice, bob, room } = await conversation()
    const before = messagesOf(await view(alice, room)).filter((item) => item.text !== '')
    const bytes = await exported(alice)
    expect(Buffer.from(bytes).includes('key')).toBe(false)

    const eve = await start('Eve')
    // looked into first: nothing of it is here for that
    const content = await eve.mesh.inspectArchive(inPieces(bytes), { key: KEY })
    expect(content).toMatchObject({ name: 'Alice', rooms: 1, chats: 0 })
    expect(Math.abs(content.at - Date.now())).toBeLessThan(60_000)
    expect(roomsOf(eve)).toEqual([])
    expect(await imported(eve, bytes)).toEqual({ rooms: 1, chats: 0 })
    const [made] = roomsOf(eve)
    expect(made?.name).toBe('Cabin')
    const shown = await view(eve, made?.id as RoomId)
    expect(textsOf(shown)).toEqual(['Who has the key?', 'I do.', 'Leave it under the stone.'])
    expect(messagesOf(shown).map((item) => item.imported)).toEqual(
      before.map(({ id, device, writtenAt }) => ({
        ...{ id, device, writtenAt },
        author: device === bob.mesh.self ? 'Bob' : 'Alice',
      })),
    )
    const own = eve.mesh.people()[0]?.id
    for (const item of messagesOf(shown)) {
      // whoever brought it says it: that much is proven
      expect(item).toMatchObject({ device: eve.mesh.self, person: own, unread: false })
    }
    expect(shown).toMatchObject({ unread: 0, people: [own] })
    const [, second] = await eve.mesh.rooms.rooms.read(shown.id)
    expect(second).toMatchObject({ author: 'Eve', imported: { author: 'Bob', device: bob.mesh.self } })
    const [first] = messagesOf(shown)
    await expect(eve.mesh.rooms.rooms.edit(shown.id, first?.id as never, 'x')).rejects.toMatchObject({
      code: 'unauthorized',
    })
    // the old device lives on, and what it wrote there stays its own
    await alice.mesh.rooms.rooms.say(room, 'Still here.')
    await until(() => bob.mesh.rooms.rooms.get(room)?.last?.excerpt === 'Still here.', {
      what: 'the message to arrive',
    })
  })

  test('imported twice doubles nothing, and a later one adds what is new, behind what was written since', async () => {
    const { alice, room } = await conversation()
    const eve = await start('Eve')
    await imported(eve, await exported(alice))
    const id = roomsOf(eve)[0]?.id as RoomId
    await eve.mesh.rooms.rooms.open(id)
    await eve.mesh.rooms.rooms.say(id, 'Eve writes here too.')
    expect(await imported(eve, await exported(alice))).toEqual({ rooms: 0, chats: 0 })
    await alice.mesh.rooms.rooms.say(room, 'One more.')
    expect(await imported(eve, await exported(alice))).toEqual({ rooms: 1, chats: 0 })
    expect(await imported(eve, await exported(eve))).toEqual({ rooms: 0, chats: 0 })
    expect(roomsOf(eve)).toHaveLength(1)
    const texts = textsOf(await view(eve, id))
    expect(texts).toEqual([
      ...['Who has the key?', 'I do.', 'Leave it under the stone.'],
      ...['Eve writes here too.', 'One more.'],
    ])
    // into the mesh it came from it brings nothing: everything is there
    expect(await imported(alice, await exported(alice))).toEqual({ rooms: 0, chats: 0 })
  })

  test('passed on once more it still says who first wrote it, and who brought it in between', async () => {
    const { alice } = await conversation()
    const eve = await start('Eve')
    await imported(eve, await exported(alice))
    const frank = await start('Frank')
    await imported(frank, await exported(eve))
    const authors = messagesOf(await view(frank, roomsOf(frank)[0]?.id as RoomId)).map((item) => item.imported?.author)
    expect(authors).toEqual(['Alice', 'Bob', 'Alice'])
  })

  test('carries chats with their branches and models, and leaves those that are there as they are', async () => {
    const alice = await start('Alice')
    const chats = await chatsOf(alice.store)
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'What is a heron?')
    const writer = await chats.addAnswer(chat, question)
    writer.append('A '.repeat(1_500_000))
    await writer.finish({ state: 'stopped' })
    await chats.addPersonMessage(chat, null, 'And a crane?')
    await chats.chooseModel(chat, 'tiny' as never)
    const gone = await chats.create()
    await chats.delete(gone)
    const eve = await start('Eve')
    const bytes = await exported(alice)
    expect(await imported(eve, bytes)).toEqual({ rooms: 0, chats: 1 })
    expect(await imported(eve, bytes)).toEqual({ rooms: 0, chats: 0 })
    const there = await chatsOf(eve.store)
    expect(there.list()).toEqual(chats.list())
    expect(JSON.parse(there.export(chat, 'json'))).toEqual(JSON.parse(chats.export(chat, 'json')))
    await there.rename(chat, 'Birds')
    expect(await imported(eve, bytes)).toEqual({ rooms: 0, chats: 0 })
    expect((await chatsOf(eve.store)).get(chat)?.title).toBe('Birds')
  })

  test('cut, damaged, or with another passphrase it ends in a sentence and nothing of it shows', async () => {
    const { alice } = await conversation()
    const passphrase = 'a heron in the rain'
    const bytes = await exported(alice, { kind: 'passphrase', passphrase, cost: CHEAP })
    const eve = await start('Eve')
    const changed = bytes.slice()
    changed[changed.byteLength - 5] = (changed.at(-5) ?? 0) ^ 1
    for (const [given, typed, code] of [
      [bytes, 'a heron in the sun', 'passphrase-wrong'],
      [bytes.subarray(0, bytes.byteLength - 1), passphrase, 'integrity'],
      [changed, passphrase, 'integrity'],
      [new Uint8Array(500), passphrase, 'malformed'],
    ] as const) {
      const key = { kind: 'passphrase', passphrase: typed } as const
      await expect(eve.mesh.inspectArchive(inPieces(given), { key })).rejects.toMatchObject({ code })
      await expect(imported(eve, given, key)).rejects.toMatchObject({ code })
      expect(roomsOf(eve)).toEqual([])
      expect([...eve.store.data.records.keys(), ...eve.store.data.logs.keys()].join()).not.toContain('staging')
    }
    expect(await imported(eve, bytes, { kind: 'passphrase', passphrase })).toEqual({ rooms: 1, chats: 0 })
  })

  test('on a disk that fills up no room shows that is not whole, and the next time it comes', async () => {
    const { alice, room } = await conversation()
    await alice.mesh.rooms.rooms.create({ name: 'Second', people: [], history: 'all' })
    const bytes = await exported(alice)
    const wanted = textsOf(await view(alice, room)).filter((text) => text !== '')
    for (let atWrite = 1; ; atWrite++) {
      const eve = await start('Eve')
      eve.store.failWrites({ code: 'storage-full', atWrite, count: 1 })
      const outcome = await imported(eve, bytes).catch((error: unknown) => error)
      eve.store.heal()
      const isDone = !(outcome instanceof Error)
      if (!isDone) expect(outcome).toMatchObject({ code: 'storage-full' })
      for (const { id, name } of roomsOf(eve)) {
        expect(['Cabin', 'Second'], `write ${String(atWrite)}`).toContain(name)
        if (name === 'Cabin') expect(textsOf(await view(eve, id))).toEqual(wanted)
      }
      await imported(eve, bytes)
      expect(
        roomsOf(eve)
          .map(({ name }) => name)
          .sort(),
        `write ${String(atWrite)}`,
      ).toEqual(['Cabin', 'Second'])
      await stop(eve)
      if (isDone) break
    }
  })

  test('an archive of something else is refused', async () => {
    const { sealArchive } = await import('../../mesh/seal/index.ts')
    const eve = await start('Eve')
    for (const records of [
      [],
      [{ kind: 'room', body: new Uint8Array([0xa0]) }],
      [{ kind: 'room/operations', body: new Uint8Array([0xa0]) }],
    ]) {
      const sealed = sealArchive(records, LOCK, { random: systemRandom, clock: systemClock })
      await expect(eve.mesh.importAll(sealed, { key: KEY })).rejects.toMatchObject({ code: 'integrity' })
    }
  })
})

describe('a device that goes to another mesh', () => {
  test('takes its rooms along', async () => {
    const solo = await start('Solo')
    const room = await solo.mesh.rooms.rooms.create({ name: 'Notes', people: [], history: 'all' })
    await solo.mesh.rooms.rooms.say(room, 'Buy bread.')
    await solo.mesh.rooms.rooms.say(room, 'And cheese.')
    const alice = await start('Alice')
    await join(solo, alice)
    await until(() => roomsOf(solo).some(({ name }) => name === 'Notes'), { what: 'the notes to be there' })
    const [notes] = roomsOf(solo)
    expect(notes?.id).not.toBe(room)
    expect(textsOf(await view(solo, notes?.id as RoomId))).toEqual(['Buy bread.', 'And cheese.'])
    // it is a device of the same person now: her other device has them too
    await until(() => roomsOf(alice).length === 1, { what: 'the room on the other device' })
    await until(async () => textsOf(await view(alice, notes?.id as RoomId)).length === 2, { what: 'its messages' })
    expect(await imported(solo, await exported(solo))).toEqual({ rooms: 0, chats: 0 })
  })

  test('does not lose them when it is ended before they are in place', async () => {
    const store = createMemoryStore()
    const solo = await start('Solo', { store })
    const room = await solo.mesh.rooms.rooms.create({ name: 'Notes', people: [], history: 'all' })
    await solo.mesh.rooms.rooms.say(room, 'Buy bread.')
    const alice = await start('Alice')
    const invitation = await alice.mesh.invite({ confirmation: 'in-advance' })
    const put = store.put.bind(store)
    // the disk is gone from the moment the other mesh is written down
    store.put = async (key, value, options) => {
      await put(key, value, options)
      if (key === 'ledger/current') store.failWrites({ code: 'storage-failed', atWrite: 1, count: 1_000 })
    }
    await joinBy(solo, alice, invitation.url).catch(() => undefined)
    await stop(solo)
    store.put = put
    store.heal()
    const again = await start('Solo', { store })
    await until(() => roomsOf(again).some(({ name }) => name === 'Notes'), { what: 'the notes to be there' })
    expect(roomsOf(again)).toHaveLength(1)
    expect(textsOf(await view(again, roomsOf(again)[0]?.id as RoomId))).toEqual(['Buy bread.'])
  })
})
