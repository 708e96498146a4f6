import { afterEach, expect, test } from 'vitest'
import { createRoomUse } from '../../helper/local/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import type { NodePreset } from '../../mesh/net/index.ts'
import { openCommandLine, type CommandLine } from '../kit/command-line.ts'
import { createVirtualNetwork } from '../kit/network.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'
import { fakeHost } from '../unit/local/fake-host.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start(name: string, options: Parameters<typeof startPeer>[1] = {}): Promise<TestPeer> {
  const peer = await startPeer(name, options)
  ends.push(() => peer.stop())
  return peer
}

async function commandsOf({ mesh }: TestPeer): Promise<CommandLine> {
  const rooms = createRoomUse(mesh.rooms.rooms, silentLogger)
  const run = await openCommandLine({ ...fakeHost(), mesh, rooms })
  ends.push(() => run.close())
  return run
}

interface Line {
  readonly id: string
  readonly author: string
  readonly text: string
  readonly state: string
}
const read = async (run: CommandLine, room: string): Promise<readonly Line[]> => {
  const { json } = await run('read', room, '--json')
  return Array.isArray(json) ? (json as Line[]) : []
}
const textsOf = (lines: readonly Line[]): string[] => lines.map((line) => line.text)

test('a room is made, written into and read on two command lines, in the same order', async () => {
  const alice = await start('Alice desktop')
  const bob = await start('Bob laptop')
  await join(bob, alice, 'Bob')
  await alice.untilOnline(bob)
  const [onAlice, onBob] = [await commandsOf(alice), await commandsOf(bob)]

  expect((await onAlice('rooms', '--json')).json).toEqual([])
  const made = await onAlice('rooms', 'create', 'Cabin weekend', '--person', 'bob', '--json')
  expect(made).toMatchObject({ code: 0, json: { id: expect.any(String) as string, name: 'Cabin weekend', unread: 0 } })
  const { id } = made.json as { id: string }
  const said = await onAlice('say', 'cab', 'Who has', 'the key?', '--json')
  expect(said).toMatchObject({ code: 0, json: { id: expect.any(String) as string, state: 'saved' } })

  await until(async () => JSON.stringify((await onBob('rooms', '--json')).json).includes('"unread":1'), {
    what: 'the room with its unread message to be on Bob’s list',
  })
  expect((await onBob('rooms', '--json')).json).toEqual([{ id, name: 'Cabin weekend', unread: 1 }])
  expect((await onBob('rooms')).out).toMatch(/^NAME +UNREAD +ID\nCabin weekend +1 +/)
  expect((await onBob('say', id, 'I do.', '--json')).code).toBe(0)
  await until(async () => (await read(onAlice, id)).length === 2, { what: 'Bob’s answer to reach Alice' })
  for (const run of [onAlice, onBob]) expect(textsOf(await read(run, 'Cabin'))).toEqual(['Who has the key?', 'I do.'])
  const [first, second] = await read(onAlice, id)
  expect(first).toMatchObject({ id: (said.json as Line).id, author: 'Alice desktop', device: alice.mesh.self })
  expect(second).toMatchObject({ author: 'Bob', state: 'spread' })
  expect((await onAlice('read', id)).out).toMatch(
    /Alice desktop \((spread|seen)\): Who has the key\?\n.*Bob \(spread\)/,
  )
  // what was read here is read, and its author hears of it
  await until(async () => JSON.stringify((await onBob('rooms', '--json')).json).includes('"unread":0'), {
    what: 'the mark that it was read',
  })
  await until(async () => (await read(onAlice, id))[0]?.state === 'seen', { what: 'the word that Bob has seen it' })
})

test('what is used wrongly ends with 2, and a room or person that is not there with 1', async () => {
  const run = await commandsOf(await start('Alice desktop'))
  await run('rooms', 'create', 'One')
  await run('rooms', 'create', 'One more')
  for (const [argv, code, error] of [
    [['rooms', 'burn'], 2, 'usage'],
    [['rooms', 'create'], 2, 'usage'],
    [['rooms', 'create', 'x'.repeat(121)], 2, 'usage'],
    [['rooms', 'create', 'Two', '--person', 'Nobody'], 1, 'device-unknown'],
    [['say', 'One', ' '], 2, 'usage'],
    [['say', 'Elsewhere', 'hello'], 1, 'room-unknown'],
    [['read', 'on'], 1, 'room-unknown'],
    [['read'], 2, 'usage'],
  ] as const) {
    expect(await run(...argv, '--json'), argv.join(' ')).toMatchObject({ code, json: { error: { code: error } } })
  }
  expect((await run('read', 'One', '--json')).json).toEqual([])
})

test('a helper stores and passes on the rooms of its person without opening one', async () => {
  const network = createVirtualNetwork({ clock: systemClock, random: systemRandom })
  const on = (host: string): { preset: NodePreset } => ({ preset: network.preset(host) })
  const alice = await start('Alice desktop', on('alice'))
  const bob = await start('Bob laptop', on('bob'))
  const carol = await start('Carol laptop', on('carol'))
  await join(bob, alice, 'Bob')
  await join(carol, alice, 'Carol')
  const people = (): readonly string[] => alice.mesh.rooms.people().map((person) => person.name)
  await until(() => people().length === 3, { what: 'everybody to be there' })
  const { rooms } = alice.mesh.rooms
  const room = await rooms.create({
    name: 'Three of us',
    people: alice.mesh.rooms.people().map((person) => person.id),
    history: 'all',
  })
  await until(() => carol.mesh.rooms.rooms.list().length === 1, { what: 'Carol to know the room' })
  // Bob and Carol must know each other before Alice is gone
  await bob.untilOnline(carol)
  await carol.stop()
  ends.splice(ends.length - 1, 1)

  const message = await rooms.say(room, 'The ferry leaves at nine.')
  await until(() => rooms.receipts(room, message).devices.some((one) => one.device === bob.mesh.self && one.holds), {
    what: 'Bob’s device to tell that it holds the message',
  })
  expect(bob.mesh.rooms.rooms.get(room)).toBeUndefined()
  await alice.stop()
  ends.splice(0, 1)

  const again = await start('Carol laptop', { store: carol.store, ...on('carol') })
  const onCarol = await commandsOf(again)
  await until(async () => textsOf(await read(onCarol, room)).length === 1, { what: 'Carol to read it from Bob' })
  expect(textsOf(await read(onCarol, 'Three'))).toEqual(['The ferry leaves at nine.'])
})
