import { describe, expect, test } from 'vitest'
import { asId, SYNC_LATE_MS, type DeviceId, type ScopeId } from '../../mesh/base/index.ts'
import {
  roomIdOf,
  roomScope,
  signEntry,
  type EntryFields,
  type LedgerEntry,
  type ScopeId as LedgerScope,
} from '../../mesh/identity/index.ts'
import type { WritingEnd } from '../../mesh/sync/index.ts'
import { writingEndIn } from '../../mesh/writing-ends.ts'
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
import { createSeededRandom } from '../kit/random.ts'

// What a removed device wrote before has thirty days to come from who only keeps it, of each device that was
// there. A member signs entries at places long ago, with dates of its choice, and seals keys to whom it likes.

const random = createSeededRandom('writing ends of others')
const asScope = (scope: LedgerScope): ScopeId => asId<ScopeId>(scope)
const endOf = (device: { readonly id: DeviceId }, scope: LedgerScope, at: TestMember): WritingEnd | undefined =>
  writersOf(at).endOf?.(device.id, asScope(scope))

async function scene(name: string): Promise<[alice: TestMember, mallory: TestMember, carol: TestMember]> {
  const alice = await foundMesh(await createTestDevice(random, `alice ${name}`), random)
  const mallory = await addPerson(alice, await deviceAt(alice, `mallory ${name}`), 'Mallory', 'member')
  const carol = await addPerson(alice, await deviceAt(alice, `carol ${name}`), 'Carol', 'member')
  await exchangeAll([alice, mallory, carol])
  return [alice, mallory, carol]
}

const deviceAt = ({ clock }: TestMember, name: string): Promise<TestDevice> => createTestDevice(random, name, { clock })

/** What a member writes at a place that it chooses, dated as it likes. */
const forged = (
  { key, ledger }: TestMember,
  fields: EntryFields,
  parents: LedgerEntry['parents'],
  at = 1,
): Promise<LedgerEntry> => signEntry(key, fields, { parents, at, mesh: ledger.mesh })

const keyFor = (scope: LedgerScope, generation: number, to: readonly TestMember[]): EntryFields => {
  const sealed = to.map(({ id }) => ({ to: id, box: random.bytes(80) }))
  return { type: 'rotate', scope, generation, check: random.bytes(32), sealed }
}

describe('the days of what a removed device wrote', () => {
  test('are over at once for nobody who was there, whatever place and date its loss and a key say', async () => {
    const [alice, mallory, carol] = await scene('dated')
    const people = [mallory.person(), carol.person()]
    const made = await mallory.ledger.append({ type: 'room', people, history: 'all' })
    const room = roomIdOf(made.hash)
    const scope = roomScope(room)
    await exchangeAll([alice, mallory])
    const zoe = await addPerson(alice, await deviceAt(alice, 'zoe'), 'Zoe', 'member')
    const all = [alice, mallory, carol, zoe]
    await exchangeAll(all)
    await mallory.ledger.append({ type: 'room-people', room, add: [zoe.person()], remove: [] })
    await exchangeAll(all)
    await makeKey(scope, zoe, [mallory, carol, zoe], random)
    await exchangeAll(all)
    alice.clock.advance(6 * SYNC_LATE_MS)
    const remove: EntryFields = { type: 'room-people', room, add: [], remove: [carol.person()] }
    const loss = await forged(mallory, remove, [made.hash])
    const key = await forged(mallory, keyFor(scope, 1, [mallory]), [made.hash])
    await zoe.ledger.take([loss.bytes, key.bytes])
    await makeKey(scope, zoe, [mallory, zoe], random)
    expect(writersOf(zoe).mayWrite(carol.id, asScope(scope))).toBe(false)
    expect(endOf(carol, scope, zoe)).toEqual({ at: alice.clock.now(), isAlone: false })
    // whom it lets into the room only now was not there
    await zoe.ledger.append({ type: 'room-people', room, add: [alice.person()], remove: [] })
    await exchangeAll([alice, zoe])
    expect(endOf(carol, scope, alice)?.at).toBe(1)
  })

  test('begin anew for no newcomer because who made the first key after it, for itself alone, is gone', async () => {
    const [alice, mallory, carol] = await scene('alone')
    const second = await addDevice(mallory, await deviceAt(alice, 'second'))
    const all = [alice, mallory, carol, second]
    await exchangeAll(all)
    await makeKey('mesh', alice, all, random)
    await exchangeAll(all)
    await alice.ledger.append({ type: 'revoke', device: carol.id })
    await exchangeAll(all)
    await makeKey('mesh', second, [second], random)
    await exchangeAll(all)
    await mallory.ledger.append({ type: 'revoke', device: second.id })
    await exchangeAll(all)
    await makeKey('mesh', alice, [alice, mallory], random)
    alice.clock.advance(12 * SYNC_LATE_MS)
    const newcomer = await addPerson(alice, await deviceAt(alice, 'newcomer'), 'New', 'member')
    const removedAt = alice.ledger.state().devices.get(carol.id)?.removedAt ?? 0
    expect(endOf(carol, 'mesh', newcomer)).toEqual({ at: removedAt, isAlone: false })
    expect(endOf(carol, 'mesh', alice)).toEqual({ at: removedAt, isAlone: false })
  })

  test('end though it is let in once more, at a place where nobody had heard of it', async () => {
    const [alice, mallory] = await scene('again')
    const phone = await deviceAt(alice, 'phone')
    const before = mallory.ledger.heads()
    await addDevice(mallory, phone)
    await exchangeAll([alice, mallory])
    await makeKey('mesh', alice, [alice, mallory, phone], random)
    await exchangeAll([alice, mallory])
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    await makeKey('mesh', alice, [alice, mallory], random)
    const removedAt = alice.clock.now()
    let [parent] = before
    // as deep as the mesh goes by then, so that it stands after the first
    for (let count = 0; count < 8 && parent !== undefined; count++) {
      const rename = await forged(mallory, { type: 'rename', device: mallory.id, name: String(count) }, [parent])
      await alice.ledger.take([rename.bytes])
      parent = rename.hash
    }
    alice.clock.advance(SYNC_LATE_MS)
    const again = await forged(mallory, await admitted(mallory, phone), parent === undefined ? [] : [parent])
    await alice.ledger.take([again.bytes])
    expect(alice.ledger.state().devices.get(phone.id)?.admission).toBe(again.hash)
    expect(writersOf(alice).mayWrite(phone.id, asScope('mesh'))).toBe(false)
    expect(endOf(phone, 'mesh', alice)).toEqual({ at: removedAt, isAlone: false })
  })
})

test('asking since when a device may not write looks at each key and each removal a few times, and once in each state of the ledger', async () => {
  const [alice, mallory] = await scene('costs')
  const ghost = await addDevice(mallory, await deviceAt(alice, 'ghost'))
  await exchangeAll([alice, mallory])
  const people = [alice.person(), mallory.person()]
  const made = await mallory.ledger.append({ type: 'room', people, history: 'all' })
  const scope = roomScope(roomIdOf(made.hash))
  const parents = mallory.ledger.heads()
  const entries: LedgerEntry[] = []
  for (let at = 0; at < 150; at++) {
    entries.push(await forged(mallory, { type: 'revoke', device: ghost.id }, parents, at))
    entries.push(await forged(mallory, keyFor(scope, 1, [alice, mallory]), parents, at))
  }
  await exchangeAll([alice, mallory])
  await alice.ledger.take(entries.map(({ bytes }) => bytes))
  const { ledger } = alice
  let asked = 0
  const saw: typeof ledger.saw = (...given) => {
    asked += 1
    return ledger.saw(...given)
  }
  const ask = (): WritingEnd | undefined =>
    writingEndIn({ ...ledger, saw }, { device: ghost.id, scope, self: alice.id, mayWrite: (one) => one !== ghost.id })
  const end = ask()
  expect(end?.at).toBe(alice.clock.now())
  const kept = ledger.entries().length
  expect(kept).toBeGreaterThan(250)
  expect(asked).toBeLessThan(10 * kept)
  asked = 0
  for (let count = 0; count < 100; count++) expect(ask()).toBe(end)
  expect(asked).toBe(0)
})
