import { describe, expect, test } from 'vitest'
import {
  asId,
  randomInt,
  silentLogger,
  SYNC_BUDGET_MAX_BYTES,
  SYNC_LATE_MS,
  type RoomId,
  type ScopeId,
} from '../../mesh/base/index.ts'
import {
  personIdOfDevice,
  personScope,
  roomIdOf,
  roomScope,
  type ScopeId as LedgerScope,
} from '../../mesh/identity/index.ts'
import { loadBudgets } from '../../mesh/sync/budgets.ts'
import {
  addDevice,
  addPerson,
  admitted,
  createTestDevice,
  exchangeAll,
  foundMesh,
  makeKey,
  writersOf,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { createSeededRandom } from '../kit/random.ts'

// Whoever makes a key says to whom it is given, and may say so of devices that it made up. What such a device
// wrote would be taken from who hands it on, of nobody, on nobody's account and without an end.

const random = createSeededRandom('never let in')
const SEEDS = Number(process.env['PLEXUS_SEEDS'] ?? (process.env['PLEXUS_TEST_FULL'] === '1' ? 100 : 1))

interface Scene {
  readonly alice: TestMember
  readonly bob: TestMember
  readonly carol: TestMember
  readonly all: readonly TestMember[]
  readonly scope: LedgerScope
}

async function scene(name: string): Promise<Scene> {
  const alice = await foundMesh(await createTestDevice(random, `alice ${name}`), random)
  const on = { clock: alice.clock }
  const carol = await addPerson(alice, await createTestDevice(random, `carol ${name}`, on), 'Carol', 'owner')
  const bob = await addPerson(alice, await createTestDevice(random, `bob ${name}`, on), 'Bob', 'member')
  const all = [alice, bob, carol]
  const people = all.map((one) => one.person())
  const room = roomIdOf((await alice.ledger.append({ type: 'room', people, history: 'all' })).hash)
  await exchangeAll(all)
  await makeKey(roomScope(room), alice, all, random)
  await exchangeAll(all)
  return { alice, bob, carol, all, scope: roomScope(room) }
}

const roomOf = (scope: LedgerScope): RoomId => asId<RoomId>(scope.slice('room:'.length))
const asScope = (scope: LedgerScope): ScopeId => asId<ScopeId>(scope)
/** Whether it could write with any key of a scope, as another device sees it. */
const couldWrite = (device: Pick<TestDevice, 'id'>, scope: LedgerScope, at: TestMember): boolean =>
  (at.ledger.state().epochs.get(scope) ?? []).some(
    (epoch) => writersOf(at).mayHaveWritten?.(device.id, asScope(scope), epoch.id) === true,
  )
const endOf = (device: Pick<TestDevice, 'id'>, scope: LedgerScope, at: TestMember): number | undefined =>
  writersOf(at).endOf?.(device.id, asScope(scope))?.at
/** Whether something of it is still taken by the hand of another. */
const isOpen = (device: Pick<TestDevice, 'id'>, scope: LedgerScope, at: TestMember): boolean =>
  couldWrite(device, scope, at) && at.clock.now() - (endOf(device, scope, at) ?? Infinity) < SYNC_LATE_MS

describe('a key that says it was given to a device', () => {
  test('that nobody let in lets nobody write, in a room as in chats, before a removal or after it', async () => {
    const { alice, bob, carol, all, scope } = await scene('made up')
    const laptop = await addDevice(carol, await createTestDevice(random, 'laptop', { clock: alice.clock }))
    await exchangeAll([...all, laptop])
    const chats = personScope(carol.person())
    const ghost = await createTestDevice(random, 'ghost')
    await makeKey(scope, carol, [...all, ghost], random)
    await makeKey(chats, carol, [carol, laptop, ghost], random)
    await exchangeAll([...all, laptop])
    await laptop.ledger.append({ type: 'revoke', device: carol.id })
    await makeKey(scope, laptop, [alice, bob, laptop], random)
    // the thief has not "heard" of it
    await makeKey(chats, carol, [carol, ghost], random)
    await exchangeAll([...all, laptop])
    for (const at of [alice, bob, laptop])
      expect([scope, chats].map((one) => couldWrite(ghost, one, at))).toEqual([false, false])
    // what an earlier version took of it counts for who made it up
    expect(writersOf(alice).personOf?.(ghost.id)).toBe(carol.person())
  })

  test('that was never in a room lets it write nothing there, nor one that only keeps documents', async () => {
    const { alice, bob, all, scope } = await scene('elsewhere')
    const eve = await addPerson(alice, await createTestDevice(random, 'eve'), 'Eve', 'member')
    const keeper = await addPerson(alice, await createTestDevice(random, 'keeper'), 'Helper', 'helper-only')
    await bob.ledger.take(alice.ledger.missingFor([]))
    for (const where of [scope, 'mesh'] as const) await makeKey(where, bob, [...all, eve, keeper], random)
    await exchangeAll(all)
    expect([eve, keeper].map((one) => couldWrite(one, scope, alice))).toEqual([false, false])
    expect([eve, keeper].map((one) => couldWrite(one, 'mesh', alice))).toEqual([true, false])
    await alice.ledger.append({ type: 'room-people', room: roomOf(scope), add: [eve.person()], remove: [] })
    expect(couldWrite(eve, scope, alice)).toBe(true)
  })

  test('that was let in by one that was removed meanwhile ends with that one, and counts for its person', async () => {
    const { alice, bob, carol, all, scope } = await scene('void')
    const phone = await addDevice(carol, await createTestDevice(random, 'phone', { clock: alice.clock }))
    await exchangeAll([...all, phone])
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    // the thief lets in a device of hers, one of a person of its own, and by that one another
    const [tablet, stranger] = [await createTestDevice(random, 'tablet'), await createTestDevice(random, 'stranger')]
    const watch = await addDevice(await addDevice(phone, tablet), await createTestDevice(random, 'watch'))
    await phone.ledger.take(watch.ledger.missingFor([]))
    const person = { person: personIdOfDevice(stranger.id), newPerson: { name: 'Nobody', role: 'member' } } as const
    await phone.ledger.append({ ...(await admitted(phone, stranger)), ...person })
    const puppets = [tablet, watch, stranger]
    await makeKey(scope, phone, [...all, phone, ...puppets], random)
    await exchangeAll([alice, bob, carol, phone])
    expect(puppets.map(({ id }) => alice.ledger.state().devices.has(id))).toEqual([false, false, false])
    // honest ones may have written with it: what only a keeper has of these comes, as of the phone
    expect(puppets.map((one) => isOpen(one, scope, alice))).toEqual([true, true, false])
    alice.clock.advance(60_000)
    await makeKey(scope, alice, all, random)
    for (const one of [phone, tablet, watch]) expect(endOf(one, scope, alice)).toBe(alice.clock.now())
    alice.clock.advance(SYNC_LATE_MS)
    expect([phone, ...puppets].map((one) => isOpen(one, scope, alice))).toEqual([false, false, false, false])
    for (const { id } of [phone, ...puppets]) expect(writersOf(bob).personOf?.(id)).toBe(carol.person())
  })

  test('that was brought into a room by one that was removed meanwhile ends with that one', async () => {
    const { alice, bob, carol, all, scope } = await scene('brought')
    const phone = await addDevice(carol, await createTestDevice(random, 'her phone', { clock: alice.clock }))
    const eve = await addPerson(alice, await createTestDevice(random, 'eve there'), 'Eve', 'member')
    await exchangeAll([...all, phone, eve])
    await makeKey(scope, bob, [...all, phone], random)
    await exchangeAll([...all, phone, eve])
    alice.clock.advance(2 * SYNC_LATE_MS)
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    await phone.ledger.append({ type: 'room-people', room: roomOf(scope), add: [eve.person()], remove: [] })
    await makeKey(scope, phone, [...all, phone, eve], random)
    await exchangeAll([...all, phone, eve])
    expect(writersOf(alice).mayWrite(eve.id, asScope(scope))).toBe(false)
    // she wrote there when nobody had heard of it
    expect(isOpen(eve, scope, alice)).toBe(true)
    await makeKey(scope, alice, all, random)
    expect(endOf(eve, scope, alice)).toBe(alice.clock.now())
    alice.clock.advance(SYNC_LATE_MS)
    expect(isOpen(eve, scope, alice)).toBe(false)
  })
})

test('whoever lets in, removes and makes keys, and in whatever order it is heard: who was let in could write, nobody else, and all that ends', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { alice, bob, carol, scope } = await scene(`seed ${String(seed)}`)
    const members: TestMember[] = [alice, bob, carol]
    const ghosts: TestDevice[] = []
    for (let step = 0; step < 25; step++) {
      const by = members[randomInt(random, members.length)] as TestMember
      const name = `${String(seed)} ${String(step)}`
      const device = await createTestDevice(random, name, { clock: alice.clock })
      alice.clock.advance(60_000)
      try {
        switch (randomInt(random, 5)) {
          case 0:
            members.push(await addDevice(by, device))
            break
          case 1: {
            const other = members[1 + randomInt(random, members.length - 1)] as TestMember
            await by.ledger.append({ type: 'revoke', device: other.id })
            break
          }
          case 2:
            ghosts.push(device)
            await makeKey(scope, by, [...members, ...ghosts], random)
            break
          default:
            await exchangeAll([by, members[randomInt(random, members.length)] as TestMember])
        }
      } catch {
        // it had heard that it may not
      }
    }
    await exchangeAll(members)
    const isIn = (one: TestMember): boolean => writersOf(alice).mayWrite(one.id, asScope(scope))
    // somebody honest makes the next key
    const honest = members.filter(isIn)
    if (honest.length === 0) continue
    await makeKey(scope, honest[0] as TestMember, honest, random)
    await exchangeAll(members)
    for (const at of honest) expect(ghosts.map((ghost) => couldWrite(ghost, scope, at))).not.toContain(true)
    expect(honest.map((one) => couldWrite(one, scope, alice))).not.toContain(false)
    alice.clock.advance(SYNC_LATE_MS)
    const open = members.filter((one) => !isIn(one) && isOpen(one, scope, honest[0] as TestMember))
    expect(open.map(({ id }) => id)).toEqual([])
    const people = new Set([alice, bob, carol].map((one) => one.ledger.state().devices.get(one.id)?.person))
    for (const one of members)
      if (couldWrite(one, scope, alice)) expect(people).toContain(writersOf(alice).personOf?.(one.id))
  }
})

test('a person makes others keep no more of what nobody wrote than of what is their own', async () => {
  const { alice, bob } = await scene('budgets')
  const ports = { store: createMemoryStore(), clock: alice.clock, log: silentLogger, signer: alice.key }
  const budgets = await loadBudgets({ ...ports, writers: writersOf(alice) }, {})
  const [bytes, nobody] = [512 * 1024, (await createTestDevice(random, 'nobody')).id]
  let kept = 0
  while (budgets.spend(nobody, bob.id, { bytes, operations: 0, chains: 0 }) === 0) kept += bytes
  budgets.close()
  expect(kept).toBeLessThanOrEqual(SYNC_BUDGET_MAX_BYTES + bytes)
})
