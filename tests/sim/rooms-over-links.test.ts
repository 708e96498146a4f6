import { afterEach, expect, test } from 'vitest'
import type { MessageId, RoomId } from '../../mesh/base/index.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

const running: TestPeer[] = []
const start = async (...args: Parameters<typeof startPeer>): Promise<TestPeer> => {
  const peer = await startPeer(...args)
  running.push(peer)
  return peer
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
})

const textsOf = (peer: TestPeer, room: RoomId): string[] =>
  (peer.mesh.rooms.rooms.get(room)?.items ?? []).flatMap((item) => (item.kind === 'message' ? [item.text] : []))

const editedOf = (peer: TestPeer, room: RoomId): string[] =>
  (peer.mesh.rooms.rooms.get(room)?.items ?? []).flatMap((item) =>
    item.kind === 'message' && item.edited ? [item.text] : [],
  )

async function enter(peer: TestPeer, room: RoomId): Promise<void> {
  await until(() => peer.mesh.rooms.rooms.list().some((one) => one.id === room), {
    what: `${peer.name} to see the room`,
  })
  await peer.mesh.rooms.rooms.open(room)
}

test('people of two devices talk in a room, and one who was away reads what was written meanwhile', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop')
  await join(bob, alice, 'Bob')
  await alice.untilOnline(bob)
  const { rooms } = alice.mesh.rooms
  const people = alice.mesh.rooms.people().map((person) => person.id)
  expect(people).toHaveLength(2)
  const room = await rooms.create({ name: 'Cabin', people, history: 'all' })
  await enter(bob, room)
  await rooms.say(room, 'Who has the key?')
  await until(() => textsOf(bob, room).includes('Who has the key?'), { what: 'the message to arrive' })
  expect(bob.mesh.rooms.rooms.get(room)?.name).toBe('Cabin')
  await bob.mesh.rooms.rooms.say(room, 'I do.')
  await until(() => textsOf(alice, room).length === 2, { what: 'the answer to arrive' })
  await until(() => rooms.get(room)?.items.some((item) => item.kind === 'message' && item.delivery?.kind !== 'saved') === true, { what: 'the word that Bob’s device holds it' }) // prettier-ignore

  await bob.stop()
  running.splice(running.indexOf(bob), 1)
  await rooms.say(room, 'Leave it under the stone.')
  const again = await start('Bob laptop', { store: bob.store })
  await enter(again, room)
  await until(() => textsOf(again, room).length === 3, { what: 'what was written meanwhile' })
  expect(textsOf(again, room)).toEqual(['Who has the key?', 'I do.', 'Leave it under the stone.'])
  expect(textsOf(alice, room)).toEqual(textsOf(again, room))

  expect([alice, again].map((peer) => editedOf(peer, room))).toEqual([[], []])
  const [own] = again.mesh.rooms.rooms.get(room)?.items.filter((item) => item.kind === 'message' && item.own) ?? []
  await again.mesh.rooms.rooms.edit(room, own?.id as MessageId, 'I do not.')
  await until(() => textsOf(alice, room).includes('I do not.'), { what: 'other words' })
  expect([alice, again].map((peer) => editedOf(peer, room))).toEqual([['I do not.'], ['I do not.']])
})

test('a person who is not in a room holds none of its words, and who is removed reads nothing that is written later', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop')
  const carol = await start('Carol laptop')
  await join(bob, alice, 'Bob')
  await join(carol, alice, 'Carol')
  await alice.untilOnline(bob)
  await alice.untilOnline(carol)
  const { rooms } = alice.mesh.rooms
  const bobs = alice.mesh.people().find((person) => person.name === 'Bob')
  const room = await rooms.create({ name: 'Two of us', people: [bobs?.id as never], history: 'all' })
  await enter(bob, room)
  await rooms.say(room, 'Strictly between us: heliotrope.')
  await until(() => textsOf(bob, room).length === 1, { what: 'the message to arrive' })
  expect(carol.mesh.rooms.rooms.list()).toEqual([])
  await alice.mesh.remove(bob.mesh.self)
  await rooms.say(room, 'Now I can say it: marigold.')
  await until(() => bob.mesh.standing() === 'removed', { what: 'the removal' })
  for (const [peer, secret] of [
    [carol, 'heliotrope'],
    [carol, 'marigold'],
    [bob, 'marigold'],
  ] as const) {
    expect(holds(peer, secret)).toBe(false)
  }
})

/** Whether the bytes of a device's store say a word anywhere, in clear. */
function holds(peer: TestPeer, word: string): boolean {
  const { records, logs } = peer.store.data
  const all = [...records.values(), ...[...logs.values()].flat().map((entry) => entry.bytes)]
  return all.some((bytes) => Buffer.from(bytes).includes(word))
}
