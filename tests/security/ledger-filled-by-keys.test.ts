import { describe, expect, test } from 'vitest'
import {
  LEDGER_ALLOWANCE_ENTRIES,
  LEDGER_DEVICES_PER_PERSON_MAX,
  LEDGER_KEYS_ENTRIES,
  LEDGER_SHARES_OTHER_ENTRIES,
  silentLogger,
  type EntryHash,
} from '../../mesh/base/index.ts'
import { createEpochs, recoveryDraft, signEntry, type EntryFields, type Epochs } from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admitted,
  createTestDevice,
  exchangeAll,
  foundMesh,
  recovered,
  reopened,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('the ledger and keys')

test('an owner can remove a member who made it write a key for each of many devices', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  await exchangeAll([alice, mallory])
  const epochs = await createEpochs({
    ledger: alice.ledger,
    self: alice.id,
    sealingKey: alice.sealing,
    random,
    clock: alice.clock,
    log: silentLogger,
  })
  const lookAfter = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      try {
        await epochs.maintain()
      } catch {
        // said and tried again by `keepEpochs`
      }
      await alice.clock.advanceAsync(61_000)
    }
  }
  await lookAfter()
  for (let index = 0; index < 20; index++)
    await alice.ledger.append({ type: 'rename', device: alice.id, name: `a${String(index)}` })
  // one entry for each device; whoever holds the keys writes one more for it, on its own account
  let parents: readonly EntryHash[] = alice.ledger.heads()
  const entries: Uint8Array[] = []
  for (let index = 0; index < LEDGER_ALLOWANCE_ENTRIES - 8; index++) {
    const ghost = await createTestDevice(random, 'x')
    const fields = await admitted(mallory, ghost)
    const entry = await signEntry(mallory.key, fields, { parents, at: index, mesh: alice.ledger.mesh })
    entries.push(entry.bytes)
    parents = [entry.hash]
  }
  await alice.ledger.take(entries)
  await lookAfter()
  const own = alice.ledger.entries().filter(({ author }) => author === alice.id).length
  console.log(`alice wrote ${String(own)} entries`)
  await alice.ledger.append({ type: 'revoke', person: mallory.person() })
  expect(alice.ledger.state().people.get(mallory.person())?.removedAt).not.toBeNull()
}, 180_000)

const epochsOf = (member: TestMember): Promise<Epochs> =>
  createEpochs({
    ledger: member.ledger,
    self: member.id,
    sealingKey: member.sealing,
    random,
    clock: member.clock,
    log: silentLogger,
  })

/** As `keepEpochs` does: at once, and again when it is due. */
async function lookAfter(epochs: Epochs, member: TestMember): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await epochs.maintain().catch(() => undefined)
    await member.clock.advanceAsync(61_000)
  }
}

/** Devices of a person let in, and some out again, by its own device with software of its own. */
async function churn(by: TestDevice, mesh: TestMember, fields: readonly EntryFields[]): Promise<void> {
  let parents = mesh.ledger.heads()
  const entries: Uint8Array[] = []
  for (const one of fields) {
    const entry = await signEntry(by.key, one, { parents, at: mesh.clock.now(), mesh: mesh.ledger.mesh })
    entries.push(entry.bytes)
    parents = [entry.hash]
  }
  await mesh.ledger.take(entries)
}

describe('keys that the software gives', () => {
  test('to devices that a member lets in and out again and again are on no account of the one who gives them', async () => {
    const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
    const mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'owner')
    const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
    await exchangeAll([alice, mallory, bob])
    const epochs = await epochsOf(alice)
    await lookAfter(epochs, alice)
    let before: TestDevice[] = []
    for (let round = 0; round < 5; round++) {
      const ghosts: TestDevice[] = []
      for (let index = 0; index < 48; index++) ghosts.push(await createTestDevice(random, 'ghost'))
      const draft: EntryFields[] = [
        ...before.map(({ id }): EntryFields => ({ type: 'revoke', device: id })),
        ...(await Promise.all(ghosts.map((ghost) => admitted(mallory, ghost)))),
      ]
      await churn(mallory, alice, draft)
      await lookAfter(epochs, alice)
      before = ghosts
    }
    const own = alice.ledger.entries().filter(({ author }) => author === alice.id)
    const shares = own.filter(({ fields }) => fields.type === 'share').length
    console.log(`alice wrote ${String(own.length)} entries, ${String(shares)} to give keys`)
    expect(shares).toBeLessThanOrEqual(LEDGER_SHARES_OTHER_ENTRIES + 2)
    // what she does herself has all its room
    for (let index = 0; index < LEDGER_ALLOWANCE_ENTRIES - 16; index++)
      await alice.ledger.append({ type: 'rename', device: alice.id, name: `a${String(index)}` })
    await exchangeAll([alice, bob])
    expect(bob.ledger.state()).toEqual(alice.ledger.state())
    // nobody else waits for keys, and what ends it is written with the keys after it
    const phone = await addDevice(bob, await createTestDevice(random, 'phone'))
    await exchangeAll([alice, bob])
    await lookAfter(epochs, alice)
    await exchangeAll([alice, bob, phone])
    expect((await epochsOf(phone)).missing()).toEqual(new Map())
    const generation = (): number => alice.ledger.state().epochs.get('mesh')?.[0]?.generation ?? 0
    const last = generation()
    await alice.ledger.append({ type: 'revoke', person: mallory.person() })
    await lookAfter(epochs, alice)
    expect(generation()).toBe(last + 1)
    expect((await reopened(alice)).ledger.state()).toEqual(alice.ledger.state())
  }, 180_000)

  test('to many devices of one’s own leave what one does oneself its room', async () => {
    const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
    const epochs = await epochsOf(alice)
    for (let index = 0; index < 10; index++)
      await alice.ledger.append({ type: 'room', people: [alice.person()], history: 'all' })
    await lookAfter(epochs, alice)
    for (let index = 0; index < 40; index++) await addDevice(alice, await createTestDevice(random, 'own'))
    await lookAfter(epochs, alice)
    const shares = alice.ledger.entries().filter(({ fields }) => fields.type === 'share').length
    console.log(`${String(shares)} entries gave keys to own devices`)
    expect(shares).toBeGreaterThan(400)
    for (let index = 0; index < LEDGER_ALLOWANCE_ENTRIES - 100; index++)
      await alice.ledger.append({ type: 'rename', device: alice.id, name: `a${String(index)}` })
  }, 180_000)

  test('anew after each removal leave the removals their room', async () => {
    const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
    const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
    await exchangeAll([alice, bob])
    for (let generation = 1; generation <= LEDGER_KEYS_ENTRIES; generation++) {
      const sealed = [{ to: alice.id, box: new Uint8Array(80) }]
      await alice.ledger.append({ type: 'rotate', scope: 'mesh', generation, check: random.bytes(32), sealed })
    }
    for (let index = 0; index < LEDGER_ALLOWANCE_ENTRIES - 16; index++)
      await alice.ledger.append({ type: 'rename', device: alice.id, name: `a${String(index)}` })
    await alice.ledger.append({ type: 'revoke', person: bob.person() })
  }, 180_000)
})

describe('a person', () => {
  test('has no more than so many devices at once; one more comes when one goes, and who has the words at any time', async () => {
    const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
    const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
    await exchangeAll([alice, bob])
    const words = recoveryKeys(createRecoverySecret(random))
    await bob.ledger.append(recoveryDraft(words, bob.ledger.mesh, bob.person()))
    const own: TestDevice[] = []
    const admit = async (device: TestDevice) => bob.ledger.append(await admitted(bob, device))
    for (let index = 1; index < LEDGER_DEVICES_PER_PERSON_MAX; index++) {
      const device = await createTestDevice(random, 'own')
      own.push(device)
      await admit(device)
    }
    const next = await createTestDevice(random, 'next')
    await expect(admit(next)).rejects.toMatchObject({ code: 'busy' })
    await exchangeAll([alice, bob])
    // by software of its own: put off by everybody else
    const place = { parents: bob.ledger.heads(), at: 1, mesh: bob.ledger.mesh }
    const forged = await signEntry(bob.key, await admitted(bob, next), place)
    expect(await alice.ledger.take([forged.bytes])).toMatchObject({ added: [], deferred: [forged.hash] })
    const back = await createTestDevice(random, 'back')
    await alice.ledger.append(await recovered(bob.ledger.mesh, words, back, bob.person()))
    await exchangeAll([alice, bob])
    for (const { id } of own.slice(0, 2)) await bob.ledger.append({ type: 'revoke', device: id })
    await admit(next)
    await exchangeAll([alice, bob])
    expect(alice.ledger.state()).toEqual(bob.ledger.state())
    expect(alice.ledger.state().devices.get(next.id)?.removedAt).toBeNull()
  }, 60_000)
})
