import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import type { RoomId } from '../../mesh/base/index.ts'
import type { MeshEvent } from '../../mesh/mesh-types.ts'
import { createVirtualNetwork } from '../kit/network.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

const network = createVirtualNetwork({ clock: systemClock, random: systemRandom })
const running: TestPeer[] = []
let hosts = 0
const start = async (name: string, options: Parameters<typeof startPeer>[1] = {}): Promise<TestPeer> => {
  const peer = await startPeer(name, { preset: network.preset(`host-${String(hosts++)}`), ...options })
  running.push(peer)
  return peer
}
/** Lost for good. */
const lose = async (peer: TestPeer): Promise<void> => {
  running.splice(running.indexOf(peer), 1)
  await peer.stop()
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
})

const doorOf = (peer: TestPeer) => ({ device: peer.mesh.self, addresses: peer.mesh.addresses() })
const addressOf = (peer: TestPeer): string => {
  const [address = ''] = peer.mesh.addresses()
  return address
}
async function makeWords(peer: TestPeer): Promise<{ words: string; parts: string[] }> {
  const { words, parts } = await peer.mesh.draftRecovery()
  await peer.mesh.keepRecovery(words.join(' '))
  return { words: words.join(' '), parts: parts.map(({ text }) => text) }
}
const textsOf = (peer: TestPeer, room: RoomId): string[] =>
  (peer.mesh.rooms.rooms.get(room)?.items ?? []).flatMap((item) => (item.kind === 'message' ? [item.text] : []))
async function reads(peer: TestPeer, room: RoomId, words: string): Promise<void> {
  await until(() => peer.mesh.rooms.rooms.list().some((one) => one.id === room), { what: 'the room' })
  await peer.mesh.rooms.rooms.open(room)
  await until(() => textsOf(peer, room).includes(words), { what: 'what was written in the room' })
}

test('twelve words make a fresh device one of the person, with rooms and history; every other device is told', async () => {
  const helper = await start('Alice helper')
  const laptop = await start('Alice laptop')
  await join(laptop, helper)
  await laptop.untilOnline(helper)
  const { rooms } = laptop.mesh.rooms
  const room = await rooms.create({ name: 'Diary', people: [], history: 'all' })
  await rooms.say(room, 'The heron came back.')
  await reads(helper, room, 'The heron came back.')
  expect(laptop.mesh.recovery()).toBeNull()
  const { words } = await makeWords(laptop)
  await until(() => helper.mesh.recovery()?.byName === 'Alice laptop', { what: 'the helper to know of the words' })
  await lose(laptop)

  const events: MeshEvent[] = []
  helper.mesh.events.subscribe((event) => events.push(event))
  const phone = await start('New phone')
  const phases: string[] = []
  const door = await phone.mesh.recover(` ${words.toUpperCase().replaceAll(' ', ',\n')} `, addressOf(helper), {
    onProgress: (phase) => phases.push(phase),
  })
  expect(phases).toEqual(['connecting', 'proving', 'opening'])
  expect(door.id).toBe(helper.mesh.self)
  expect(phone.mesh.standing()).toBe('member')
  expect(phone.mesh.devices()[0]).toMatchObject({ role: 'owner', person: '', recovered: true })
  await reads(phone, room, 'The heron came back.')
  expect(events.some((event) => event.type === 'device-joined' && event.device.recovered)).toBe(true)
  expect(helper.mesh.ledger().map((line) => line.sentence.key)).toContain('admit.recovered')
  expect(helper.sees(phone)).toMatchObject({ person: '', recovered: true })
  // the lost one goes
  await phone.mesh.remove(laptop.mesh.self)
  await until(() => helper.sees(laptop) === undefined, { what: 'the lost device to be removed' })
})

test('two of three parts do as well, when only a helper that reads nothing is left', async () => {
  const alice = await start('Alice phone')
  const shelf = await start('Shelf')
  const { url } = await alice.mesh.invite({ person: 'Shelf', role: 'helper-only', confirmation: 'in-advance' })
  await shelf.mesh.join(url)
  await alice.untilOnline(shelf)
  const { rooms } = alice.mesh.rooms
  const room = await rooms.create({ name: 'Only mine', people: [], history: 'all' })
  await rooms.say(room, 'Nobody else reads this: heliotrope.')
  const { parts } = await makeWords(alice)
  await rooms.say(room, 'And this: marigold.')
  const kept = (peer: TestPeer): number =>
    [...peer.store.data.logs].flatMap(([name, entries]) => (name.startsWith('sync/document/') ? entries : [])).length
  await until(() => kept(alice) > 0 && kept(shelf) === kept(alice), { what: 'the helper to keep it' })
  await until(() => shelf.mesh.ledger().length === alice.mesh.ledger().length, { what: 'the ledger to be told' })
  await lose(alice)

  const phone = await start('New phone')
  await expect(phone.mesh.recover(parts[0] ?? '', doorOf(shelf))).rejects.toMatchObject({ code: 'usage' })
  await phone.mesh.recover(`${parts[2] ?? ''}\n${parts[0]?.toLowerCase() ?? ''}`, doorOf(shelf))
  expect(shelf.sees(phone)).toMatchObject({ admittedBy: phone.mesh.self, recovered: true })
  await reads(phone, room, 'Nobody else reads this: heliotrope.')
  await until(() => textsOf(phone, room).length === 2, { what: 'both messages' })
  expect(shelf.mesh.rooms.rooms.list()).toEqual([])
  // and after a restart without the words
  const { store } = phone
  await lose(phone)
  const again = await start('New phone', { store })
  await reads(again, room, 'And this: marigold.')
})

test('words that were replaced or taken back, or of a removed person, bring nobody back', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob desktop')
  await join(bob, alice, 'Bob')
  await alice.untilOnline(bob)
  const [first, second, bobs] = [await makeWords(alice), await makeWords(alice), await makeWords(bob)]
  const phone = await start('New phone')
  const refused = async (words: string, at: TestPeer): Promise<void> => {
    await expect(phone.mesh.recover(words, doorOf(at))).rejects.toMatchObject({ code: 'recovery-unknown' })
    expect(phone.mesh.standing()).toBe('alone')
  }
  await until(() => bob.mesh.ledger().length === alice.mesh.ledger().length, { what: 'the ledger to be told' })
  await refused(first.words, alice)
  await refused(first.words, bob)
  await alice.mesh.removeRecovery()
  expect(alice.mesh.recovery()).toBeNull()
  await refused(second.words, alice)
  const [person] = alice.mesh.people().filter((one) => one.name === 'Bob')
  await until(() => alice.mesh.ledger().length === bob.mesh.ledger().length, { what: 'Bob’s words to be told' })
  await alice.mesh.removePerson(person?.id ?? '')
  await refused(bobs.words, alice)
  await expect(phone.mesh.recover('twelve words that nobody ever made out of a list of any kind', doorOf(alice))).rejects.toMatchObject({ code: 'malformed' }) // prettier-ignore
  await expect(phone.mesh.recover(first.words, 'somewhere')).rejects.toMatchObject({ code: 'usage' })
})

test('wrong words cost their guesser time', async () => {
  const alice = await start('Alice desktop')
  await makeWords(alice)
  const guesser = await start('Guesser')
  const { words } = await guesser.mesh.draftRecovery()
  const startedAt = performance.now()
  await expect(guesser.mesh.recover(words.join(' '), doorOf(alice))).rejects.toMatchObject({ code: 'recovery-unknown' })
  expect(performance.now() - startedAt).toBeGreaterThan(900)
})

test('a device that came back and was removed comes back by the words shown anew, not by what it showed before', async () => {
  const alice = await start('Alice desktop')
  const { words } = await makeWords(alice)
  const phone = await start('New phone')
  await phone.mesh.recover(words, doorOf(alice))
  await alice.untilOnline(phone)
  await alice.mesh.remove(phone.mesh.self)
  await until(() => phone.mesh.standing() === 'removed', { what: 'the phone to know' })
  await phone.mesh.recover(words, doorOf(alice))
  expect(phone.mesh.standing()).toBe('member')
  await alice.untilOnline(phone)
})
