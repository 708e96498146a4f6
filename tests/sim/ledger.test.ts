import { expect, test } from 'vitest'
import { isMeshError, randomInt, type DeviceId, type PersonId, type Random } from '../../mesh/base/index.ts'
import { recoveryDraft, ROLES, type EntryFields, type LedgerState } from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admitWith,
  createTestDevice,
  exchangeAll,
  foundMesh,
  invite,
  recovered,
  reopened,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { createSeededRandom } from '../kit/random.ts'

const SEEDS = process.env['PLEXUS_TEST_FULL'] === '1' ? 10_000 : 120
const STEPS = 18

/** Signing keys are made once: the seeds are about histories, not keys. */
const keys = createSeededRandom('devices of the simulation')
const pool: TestDevice[] = []
/** Few, so that one is replaced while it is used elsewhere. */
const recoveries = [1, 2, 3].map(() => recoveryKeys(createRecoverySecret(keys)))

async function devices(count: number): Promise<TestDevice[]> {
  while (pool.length < count) pool.push(await createTestDevice(keys, `device ${String(pool.length)}`))
  return pool.slice(0, count).map(createFresh)
}

/** The same keys with an empty store. */
function createFresh(device: TestDevice): TestDevice {
  return { ...device, store: createMemoryStore() }
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[randomInt(random, items.length)]
  if (item === undefined) throw new TypeError('nothing to pick from')
  return item
}

/** What somebody might write, whether it is allowed or not. */
async function draftFor(random: Random, state: LedgerState): Promise<EntryFields> {
  const device = pick<DeviceId>(random, [...state.devices.keys()])
  const person = pick<PersonId>(random, [...state.people.keys()])
  const room = [...state.rooms.keys()]
  const kinds: (() => EntryFields | Promise<EntryFields>)[] = [
    () => ({ type: 'revoke', device }),
    () => ({ type: 'revoke', device }),
    () => ({ type: 'revoke', person }),
    () => ({ type: 'role', person, role: pick(random, ROLES) }),
    () => ({ type: 'role', person, role: 'owner' }),
    () => ({ type: 'rename', device, name: `n${String(randomInt(random, 9))}` }),
    () => ({ type: 'rename', name: `m${String(randomInt(random, 9))}` }),
    () => ({ type: 'room', people: [...state.people.keys()], history: 'all' }),
    () => ({
      type: 'room-people',
      room: room.length === 0 ? ('0'.repeat(32) as never) : pick(random, room),
      add: randomInt(random, 2) === 0 ? [person] : [],
      remove: randomInt(random, 2) === 0 ? [person] : [],
    }),
    () => ({ type: 'invite-revoked', id: [...state.invitations.keys()][0] ?? ('0'.repeat(32) as never) }),
    () => recoveryDraft(pick(random, recoveries), state.mesh, person),
    () => {
      const recovery = pick(random, recoveries)
      return recovered(state.mesh, recovery, pick(random, pool), person)
    },
    () => ({ type: 'recovery', person, keys: null }),
    () => ({
      type: 'rotate',
      scope: 'mesh',
      generation: 1 + (state.epochs.get('mesh')?.[0]?.generation ?? 0),
      check: random.bytes(32),
      sealed: [{ to: device, box: random.bytes(80) }],
    }),
  ]
  return pick(random, kinds)()
}

async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isAnswer =
      isMeshError(error, 'unauthorized') ||
      isMeshError(error, 'conflict') ||
      isMeshError(error, 'usage') ||
      isMeshError(error, 'removed') ||
      isMeshError(error, 'not-admitted')
    if (!isAnswer) throw error
  }
}

/** Some entries of one get to the other, in any order, some twice, some not at all. */
async function gossip(random: Random, from: TestMember, to: TestMember): Promise<void> {
  const list = from.ledger.missingFor(to.ledger.heads()).filter(() => randomInt(random, 5) > 0)
  const twice = [...list, ...list.filter(() => randomInt(random, 3) === 0)]
  const order = twice.map((entry) => [randomInt(random, 1_000_000), entry] as const).sort(([a], [b]) => a - b)
  for (let start = 0; start < order.length; start += 3)
    await to.ledger.take(order.slice(start, start + 3).map(([, entry]) => entry))
}

async function history(seed: number): Promise<TestMember[]> {
  const random = createSeededRandom(`history ${String(seed)}`)
  const [a, b, c, d, e, ...strangers] = await devices(9)
  if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined)
    throw new TypeError('too few devices')
  const alice = await foundMesh(a, random)
  const bob = await addPerson(alice, b, 'Bob', 'owner')
  const carol = await addPerson(alice, c, 'Carol', pick(random, ROLES))
  const phone = await addDevice(alice, d)
  const dave = await addPerson(alice, e, 'Dave', 'owner')
  const members = [alice, bob, carol, phone, dave]
  await exchangeAll(members)
  const secrets = [await invite(alice, random, { name: 'Guest', role: pick(random, ROLES) })]
  if (randomInt(random, 2) === 0) await exchangeAll(members)
  for (let step = 0; step < STEPS; step++) {
    const member = pick(random, members)
    const chance = randomInt(random, 10)
    if (chance < 6) await attempt(async () => member.ledger.append(await draftFor(random, member.ledger.state())))
    else if (chance < 7 && randomInt(random, 2) === 0) {
      // who comes later writes too; let in by two at once, it writes at two places at once
      const late = createFresh(pick(random, strangers))
      await attempt(async () => {
        members.push(
          randomInt(random, 2) === 0
            ? await addPerson(member, late, 'Late', pick(random, ['owner', 'member'] as const))
            : await addDevice(member, late),
        )
      })
    } else if (chance < 7) {
      await attempt(async () => {
        const known = member.ledger.state().invitations.size
        if (known > 0) await admitWith(member, pick(random, secrets), pick(random, strangers))
      })
    } else await gossip(random, pick(random, members), member)
  }
  return members
}

test(`the ledger of five devices and more is the same on all, in every order of delivery (${String(SEEDS)} seeds)`, async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const members = await history(seed)
    await exchangeAll(members)
    const [first, ...others] = members
    if (first === undefined) throw new TypeError('no members')
    const state = first.ledger.state()
    for (const other of others) expect(other.ledger.state(), `seed ${String(seed)}`).toEqual(state)
    expect((await reopened(first)).ledger.state(), `seed ${String(seed)}`).toEqual(state)
    const owners = [...state.people.values()].filter(({ role, removedAt }) => role === 'owner' && removedAt === null)
    const hasDevice = owners.some(({ id }) =>
      [...state.devices.values()].some(({ person, removedAt }) => person === id && removedAt === null),
    )
    expect(hasDevice, `seed ${String(seed)} has an owner`).toBe(true)
  }
}, 3_600_000)
