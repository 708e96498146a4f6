import { readFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { createChats } from '../../mesh/state/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// Four devices as version 0.1 left them on their disks: a helper that kept the list, a
// browser and another person's laptop on it, and a tablet that was removed from it.

interface Stored {
  readonly id: string
  readonly records: Readonly<Record<string, string>>
  readonly logs: Readonly<Record<string, readonly string[]>>
}
const VECTOR = new URL('../vectors/stores-0.1.json', import.meta.url)

const running: TestPeer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
})

async function storeOf(device: 'keeper' | 'phone' | 'bob' | 'gone'): Promise<{ store: MemoryStore; id: string }> {
  const all = JSON.parse(await readFile(VECTOR, 'utf8')) as Record<string, Stored>
  const stored = all[device]
  const store = createMemoryStore()
  for (const [key, value] of Object.entries(stored?.records ?? {})) await store.put(key, Buffer.from(value, 'base64'))
  for (const [log, entries] of Object.entries(stored?.logs ?? {}))
    await store.append(
      log,
      entries.map((entry) => Buffer.from(entry, 'base64')),
    )
  return { store, id: stored?.id ?? '' }
}

async function wake(device: Parameters<typeof storeOf>[0], keeper?: TestPeer): Promise<TestPeer> {
  const { store, id } = await storeOf(device)
  // the ports of that day are not the ports of today: say where the keeper is now
  if (keeper !== undefined) await moveAddress(store, keeper)
  const peer = await startPeer(`new name of ${device}`, { store })
  running.push(peer)
  expect(peer.mesh.self).toBe(id)
  return peer
}

/** Writes the keeper's present address over the one that was stored. */
async function moveAddress(store: MemoryStore, keeper: TestPeer): Promise<void> {
  const { decode, encode } = await import('@ipld/dag-cbor')
  for (const { key, value } of await store.list('peer/')) {
    const record = decode<{ id: string; addresses: string[] }>(value)
    if (record.id === keeper.mesh.self) await store.put(key, encode({ ...record, addresses: keeper.mesh.addresses() }))
  }
}

test('devices of version 0.1 find themselves in the ledger of the helper that kept their list, people and all', async () => {
  const keeper = await wake('keeper')
  expect(keeper.mesh.standing()).toBe('alone')
  const phone = await wake('phone', keeper)
  const bob = await wake('bob', keeper)
  await keeper.untilOnline(phone)
  await keeper.untilOnline(bob)
  await phone.untilOnline(bob)
  expect(keeper.sees(phone)).toMatchObject({ role: 'owner', person: '' })
  expect(keeper.sees(bob)).toMatchObject({ role: 'member', person: 'Bob' })
  expect(phone.sees(bob)).toMatchObject({ role: 'member', person: 'Bob' })
  expect(bob.mesh.people().map((person) => [person.name, person.own])).toContainEqual(['Bob', true])
  // once in the ledger, the old lists say nothing any more: a removal stays one
  await keeper.mesh.remove(bob.mesh.self)
  await until(() => bob.mesh.standing() === 'removed', { what: 'the removal' })
  await bob.stop()
  running.splice(running.indexOf(bob), 1)
  const again = await startPeer('Bob', { store: bob.store })
  running.push(again)
  expect(again.mesh.standing()).toBe('removed')
  expect(keeper.sees(again)).toBeUndefined()
})

test('a device that version 0.1 had removed does not come back with its old list', async () => {
  const keeper = await wake('keeper')
  const gone = await wake('gone', keeper)
  const phone = await wake('phone', keeper)
  await keeper.untilOnline(phone)
  expect(gone.mesh.standing()).toBe('alone')
  expect(keeper.mesh.devices().map((device) => device.id)).not.toContain(gone.mesh.self)
})

test('the chats of version 0.1 are there, word for word', async () => {
  for (const device of ['keeper', 'phone'] as const) {
    const { store } = await storeOf(device)
    const chats = await createChats({ store, clock: systemClock, random: systemRandom, log: silentLogger })
    expect(chats.health()).toEqual({ corruptEntries: 0, newerEntries: 0 })
    const all = chats.list().map(({ id }) => chats.get(id))
    expect(all.map((chat) => chat?.path.map((message) => message.text)).sort()).toEqual([
      ['Hello', 'Hello Again.'].slice(1),
      ['Which planet is red? Again.'],
    ])
    expect(chats.list().map((chat) => chat.title)).toContain('Planets')
    const planets = chats.list().find((chat) => chat.title === 'Planets')
    if (planets !== undefined) expect(chats.export(planets.id, 'json')).toContain('Mars is.')
  }
})
