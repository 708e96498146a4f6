import { expect, test } from 'vitest'
import { randomInt, type DeviceId, type EntryHash, type PersonId, type Random } from '../../mesh/base/index.ts'
import {
  admissionProof,
  invitationIdOfKey,
  invitationKey,
  inviteDraft,
  personIdOfDevice,
  recoveryDraft,
  ROLES,
  signEntry,
  type EntryFields,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admittedBy,
  admitWith,
  createTestDevice,
  exchangeAll,
  foundEarlierMesh,
  foundMesh,
  invite,
  reopened,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { createSeededRandom } from '../kit/random.ts'

// Three who were let in, with software of their own, against an honest mesh: they link
// whatever they like, at any place, fork, claim what is not theirs, and use invitations
// that were used. The honest come to the same ledger, and nobody has gained a right.

const SEEDS = Number(process.env['PLEXUS_SEEDS'] ?? (process.env['PLEXUS_TEST_FULL'] === '1' ? 10_000 : 40))
/** Where the seeds begin: others in each run. */
const SEED_FROM = Number(process.env['PLEXUS_SEED_FROM'] ?? 0)
const STEPS = 24

const keys = createSeededRandom('devices of the adversaries')
const pool: TestDevice[] = []

async function devices(count: number): Promise<TestDevice[]> {
  while (pool.length < count) pool.push(await createTestDevice(keys, `device ${String(pool.length)}`))
  return pool.slice(0, count).map((device) => ({ ...device, store: createMemoryStore() }))
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[randomInt(random, items.length)]
  if (item === undefined) throw new TypeError('nothing to pick from')
  return item
}

interface Scene {
  readonly random: Random
  readonly honest: readonly TestMember[]
  readonly adversaries: readonly TestMember[]
  /** Devices of nobody, which the adversaries want in. */
  readonly strangers: readonly TestDevice[]
  /** Secrets of invitations that were used. */
  readonly secrets: readonly Uint8Array[]
  /** Devices of honest people that are about to be let in; everybody has seen their certificates. */
  readonly expected: readonly TestDevice[]
}

/** What an adversary might write, allowed or not. */
function draftOf(
  { random, honest, strangers, secrets, expected }: Scene,
  by: TestMember,
): EntryFields | Promise<EntryFields> {
  const state = honest[0]?.ledger.state()
  if (state === undefined) throw new TypeError('nobody is honest')
  const device = pick<DeviceId>(random, [...state.devices.keys()])
  const person = pick<PersonId>(random, [...state.people.keys()])
  const own = state.devices.get(by.id)?.person ?? person
  const stranger = pick(random, strangers)
  const { certificate, id } = stranger
  const claimed = pick(random, expected)
  const invitation = [...state.invitations.keys()]
  const kinds: (() => EntryFields | Promise<EntryFields>)[] = [
    // devices of their own that agree to anything, and such as nobody asked
    () => admittedBy(by.id, state.mesh, stranger, randomInt(random, 2) === 0 ? own : person),
    () => ({ type: 'admit', certificate: claimed.certificate, person: own }),
    () => ({ type: 'admit', certificate: claimed.certificate, person: own }),
    () => {
      const secret = pick(random, secrets)
      const key = invitationKey(secret)
      const proof = admissionProof(key.privateKey, state.mesh, claimed.certificate)
      return { type: 'admit', certificate: claimed.certificate, person: own, invitation: { key: key.publicKey, proof } }
    },
    () => ({ type: 'revoke', device: claimed.id }),
    () => ({ type: 'revoke', device }),
    () => ({ type: 'revoke', person }),
    () => ({ type: 'role', person: randomInt(random, 2) === 0 ? own : person, role: pick(random, ROLES) }),
    () => ({ type: 'rename', device, name: 'fool' }),
    () => ({ type: 'rename', name: 'Mallory’s' }),
    () => ({ type: 'admit', certificate, person }),
    () => ({ type: 'admit', certificate, person: own }),
    () => ({
      type: 'admit',
      certificate,
      person: personIdOfDevice(id),
      newPerson: { name: 'Friend', role: pick(random, ROLES) },
    }),
    () => {
      const secret = pick(random, secrets)
      const key = invitationKey(secret)
      const known = state.invitations.get(invitationIdOfKey(key.publicKey))
      const proof = admissionProof(key.privateKey, state.mesh, certificate)
      return { type: 'admit', certificate, person: known?.person ?? person, invitation: { key: key.publicKey, proof } }
    },
    () =>
      inviteDraft(random.bytes(16), by.id, {
        person: randomInt(random, 2) === 0 ? person : { name: 'Friend' },
        role: pick(random, ROLES),
        confirmation: 'in-advance',
        now: 0,
        lifetimeMs: 600_000,
      }),
    () => ({
      type: 'invite-revoked',
      id: invitation.length === 0 ? ('0'.repeat(32) as never) : pick(random, invitation),
    }),
    () => recoveryDraft(recoveryKeys(createRecoverySecret(random)), state.mesh, person),
    () => ({
      type: 'rotate',
      scope: 'mesh',
      generation: 1 + randomInt(random, 3),
      check: random.bytes(32),
      sealed: [{ to: by.id, box: random.bytes(80) }],
    }),
  ]
  return pick(random, kinds)()
}

/** Any entries of the past, whether newest or not. */
function placeOf({ random, honest }: Scene, made: readonly EntryHash[]): EntryHash[] {
  const known = pick(random, honest)
    .ledger.entries()
    .map(({ hash }) => hash)
  const all = [...known, ...made, ...made]
  return [...new Set(Array.from({ length: 1 + randomInt(random, 3) }, () => pick(random, all)))]
}

async function attack(scene: Scene, made: EntryHash[]): Promise<void> {
  const { random, honest, adversaries } = scene
  const by = pick(random, adversaries)
  const place = { parents: placeOf(scene, made), at: randomInt(random, 1_000_000), mesh: by.ledger.mesh }
  const draft = await draftOf(scene, by)
  const entry = await signEntry(by.key, draft, place).catch(() => undefined)
  if (entry === undefined) return
  made.push(entry.hash)
  for (const member of honest) if (randomInt(random, 2) === 0) await member.ledger.take([entry.bytes])
}

async function live({ random, honest, adversaries }: Scene): Promise<void> {
  const member = pick(random, honest)
  const chance = randomInt(random, 8)
  if (chance === 0) {
    const whom = pick(random, adversaries)
    // an honest person removes one now and then; where that is known already, nothing is lost
    await member.ledger.append({ type: 'revoke', device: whom.id }).catch(() => undefined)
  } else if (chance < 3) await member.ledger.append({ type: 'rename', device: member.id, name: `n${String(chance)}` })
  else {
    const other = pick(random, honest)
    await other.ledger.take(member.ledger.missingFor(other.ledger.heads()))
  }
}

async function sceneOf(seed: number): Promise<Scene & { readonly came: TestDevice }> {
  const random = createSeededRandom(`adversaries ${String(seed)}`)
  const [a, b, c, m, g, h, came, late, ...strangers] = await devices(11)
  if (!a || !b || !c || !m || !g || !h || !came || !late) throw new TypeError('too few devices')
  const alice = await (seed % 2 === 0 ? foundMesh : foundEarlierMesh)(a, random)
  const phone = await addDevice(alice, b)
  const bob = await addPerson(alice, c, 'Bob', 'owner')
  const adversaries = [
    await addPerson(alice, m, 'Mallory', 'member'),
    await addPerson(alice, g, 'Gina', 'guest'),
    await addPerson(alice, h, 'Hank', 'helper-only'),
  ]
  const honest = [alice, phone, bob]
  await exchangeAll([...honest, ...adversaries])
  const secret = await invite(phone, random)
  await exchangeAll(honest)
  await admitWith(alice, secret, came)
  await exchangeAll(honest)
  await phone.ledger.append({ type: 'rename', device: phone.id, name: 'phone' })
  await exchangeAll(honest)
  return { random, honest, adversaries, strangers, secrets: [secret], expected: [late], came }
}

test(`three adversaries gain no right, and the honest agree (${String(SEEDS)} seeds)`, async () => {
  for (let seed = SEED_FROM; seed < SEED_FROM + SEEDS; seed++) {
    const scene = await sceneOf(seed)
    const { honest, adversaries, strangers, came, expected } = scene
    const [alice, phone, bob] = honest
    if (!alice || !phone || !bob) throw new TypeError('nobody is honest')
    const people = { alice: alice.person(), bob: bob.person() }
    const made: EntryHash[] = []
    for (let step = 0; step < STEPS; step++) {
      await attack(scene, made)
      if (step % 2 === 0) await live(scene)
      // in the middle of it the phone lets in the device that they claim, before and after
      if (step === STEPS / 2) for (const device of expected) await addDevice(phone, device)
    }
    await exchangeAll(honest)
    const state = alice.ledger.state()
    const label = `seed ${String(seed)}`
    for (const other of [phone, bob]) expect(other.ledger.state(), label).toEqual(state)
    expect((await reopened(alice)).ledger.state(), label).toEqual(state)

    expect(state.name, label).toBe('Home')
    for (const device of [alice, phone, bob, came, ...expected])
      expect(state.devices.get(device.id)?.removedAt, label).toBeNull()
    for (const person of Object.values(people)) expect(state.people.get(person)?.role, label).toBe('owner')
    const ofHonest = [...state.devices.values()].filter(({ person }) => Object.values(people).includes(person))
    expect(new Set(ofHonest.map(({ id }) => id)), label).toEqual(
      new Set([alice, phone, bob, came, ...expected].map(({ id }) => id)),
    )
    expect(state.people.size, label).toBe(5)
    for (const device of strangers) {
      const person = state.devices.get(device.id)?.person
      // a member's further devices are its own right; nobody else's are
      if (person !== undefined) expect(person, label).toBe(adversaries[0]?.person())
    }
    const roles = adversaries.map(({ id }) => state.people.get(state.devices.get(id)?.person as PersonId)?.role)
    expect(roles, label).toEqual(['member', 'guest', 'helper-only'])
    expect(
      [...state.recoveries.keys()].filter((person) => Object.values(people).includes(person)),
      label,
    ).toEqual([])
    for (const { hash } of honest.flatMap(({ ledger, id }) => ledger.entries().filter(({ author }) => author === id)))
      expect(state.ignored.has(hash), label).toBe(false)
  }
}, 7_200_000)
