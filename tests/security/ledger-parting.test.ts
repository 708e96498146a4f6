import { beforeEach, describe, expect, test } from 'vitest'
import {
  LEDGER_ALLOWANCE_ENTRIES,
  LEDGER_RESERVED_DEVICES_MAX,
  LEDGER_RESERVED_ENTRIES,
  type EntryHash,
} from '../../mesh/base/index.ts'
import {
  admitByRecovery,
  recoveryDraft,
  recoveryProof,
  signEntry,
  type EntryFields,
  type LedgerEntry,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import { batches } from '../../mesh/net/protocols/ledger/ledger.ts'
import {
  addDevice,
  addPerson,
  admitted,
  createTestDevice,
  exchangeAll,
  foundMesh,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

// What a share of the ledger must never do: part honest devices, or keep somebody from ending an attack.

const random = createSeededRandom('the ledger and intake')

let alice: TestMember
let bob: TestMember
let mallory: TestMember

beforeEach(async () => {
  alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
  mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  await exchangeAll([alice, bob, mallory])
})

const named = (by: TestDevice, name: string): EntryFields => ({ type: 'rename', device: by.id, name })

const write = (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[], at = by.clock.now()) =>
  signEntry(by.key, fields, { parents, at, mesh: alice.ledger.mesh })

async function chain(by: TestDevice, count: number, from: readonly EntryHash[], tag = 'n'): Promise<LedgerEntry[]> {
  const made: LedgerEntry[] = []
  let parents = from
  for (let index = 0; index < count; index++) {
    const entry = await write(by, named(by, `${tag}${String(index)}`), parents)
    made.push(entry)
    parents = [entry.hash]
  }
  return made
}

const bytesOf = (entries: readonly LedgerEntry[]): Uint8Array[] => entries.map(({ bytes }) => bytes)

const hasAll = (member: TestMember, entries: readonly LedgerEntry[]): boolean =>
  entries.every(({ hash }) => member.ledger.entry(hash) !== undefined)

/** As over the network: what a fetch brings is taken together, again as often as somebody waits. */
async function overTheWire(from: TestMember, to: TestMember, rounds = 4): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const batch of batches(from.ledger.missingFor(to.ledger.heads()))) await to.ledger.take(batch)
    await to.ledger.take(from.ledger.missingFor(to.ledger.heads()))
  }
}

describe('nobody is cut off', () => {
  test('by a member who gives two honest devices different branches, also when it comes in frames', async () => {
    const from = mallory.ledger.heads()
    const one = await chain(mallory, LEDGER_ALLOWANCE_ENTRIES, from, 'one')
    const other = await chain(mallory, LEDGER_ALLOWANCE_ENTRIES, from, 'other')
    await alice.ledger.take(bytesOf(one))
    await bob.ledger.take(bytesOf(other))
    const said = await alice.ledger.append({ type: 'revoke', person: mallory.person() })
    await overTheWire(alice, bob)
    expect(bob.ledger.entry(said.hash)).toBeDefined()
    expect(bob.ledger.damage().waiting).toBe(0)
  })

  test('by a member who gives two honest devices different fans, merged at the end, when they come in frames', async () => {
    const root = mallory.ledger.heads()
    const fan = async (tag: string): Promise<LedgerEntry[]> => {
      const made: LedgerEntry[] = []
      const merges: LedgerEntry[] = []
      for (let group = 0; group < 30; group++) {
        const hashes: EntryHash[] = []
        for (let index = 0; index < 15; index++) {
          const fields = { ...named(mallory, `${tag}${String(group * 15 + index)}`), padding: random.bytes(3_400) }
          const entry = await write(mallory, fields, root)
          made.push(entry)
          hashes.push(entry.hash)
        }
        const last = merges.at(-1)
        merges.push(await write(mallory, named(mallory, 'm'), [...hashes, ...(last === undefined ? [] : [last.hash])]))
      }
      return [...made, ...merges]
    }
    await alice.ledger.take(bytesOf(await fan('one')))
    await bob.ledger.take(bytesOf(await fan('other')))
    const said = await alice.ledger.append({ type: 'rename', name: 'Alice goes on' })
    await overTheWire(alice, bob, 8)
    expect(bob.ledger.entry(said.hash)).toBeDefined()
    expect(bob.ledger.damage().waiting).toBe(0)
  })

  test('by a member who has entries that count link more void ones than fit a frame of ours', async () => {
    const root = mallory.ledger.heads()
    const voids: LedgerEntry[] = []
    const links: LedgerEntry[] = []
    for (let group = 0; group < 14; group++) {
      const own: EntryHash[] = []
      for (let index = 0; index < 15; index++) {
        const name = `v${String(group)} ${String(index)}`
        const fields = { type: 'rename', name, padding: random.bytes(3_500) } as EntryFields
        const entry = await write(mallory, fields, root)
        voids.push(entry)
        own.push(entry.hash)
      }
      const last = links.at(-1)
      links.push(await write(mallory, named(mallory, 'l'), [...own, ...(last === undefined ? [] : [last.hash])]))
    }
    // Alice is given all in one frame (below FRAME_MAX_BYTES and 512 entries), Bob is not there
    await alice.ledger.take(bytesOf([...voids, ...links]))
    expect(hasAll(alice, links)).toBe(true)
    const said = await alice.ledger.append({ type: 'revoke', person: mallory.person() })
    await overTheWire(alice, bob, 8)
    expect(bob.ledger.entry(said.hash)).toBeDefined()
  })

  test('by a removed device of its own person that had told it something before', async () => {
    // Bob’s laptop, honest; Bob’s phone, stolen
    const laptop = await addDevice(bob, await createTestDevice(random, 'laptop'))
    const phone = await addDevice(bob, await createTestDevice(random, 'phone'))
    await exchangeAll([alice, bob, laptop, phone])
    // the thief tells the laptop a hundred names, and nobody else
    await laptop.ledger.take(bytesOf(await chain(phone, 100, phone.ledger.heads())))
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    // the laptop goes on, and meets Alice
    const said = await laptop.ledger.append(named(laptop, 'still here'))
    await exchangeAll([alice, laptop])
    expect(alice.ledger.entry(said.hash)).toBeDefined()
  })

  test('by a stolen device that fills two honest ones of its person with different branches', async () => {
    const laptop = await addDevice(alice, await createTestDevice(random, 'laptop'))
    const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
    await exchangeAll([alice, bob, laptop, phone])
    const from = phone.ledger.heads()
    await alice.ledger.take(bytesOf(await chain(phone, LEDGER_ALLOWANCE_ENTRIES + 50, from, 'one')))
    await laptop.ledger.take(bytesOf(await chain(phone, LEDGER_ALLOWANCE_ENTRIES + 50, from, 'other')))
    await bob.ledger.take(bytesOf(await chain(phone, LEDGER_ALLOWANCE_ENTRIES + 50, from, 'third')))
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    await exchangeAll([alice, laptop, bob])
    expect(bob.ledger.state().devices.get(phone.id)?.removedAt).not.toBeNull()
    expect(laptop.ledger.state().devices.get(phone.id)?.removedAt).not.toBeNull()
  })
})

describe('an owner can remove a stolen device of its own', () => {
  test('that used up what the person may ever write, by devices that it made and removed', async () => {
    // a device in use for a while has written some entries: keys, names
    for (let index = 0; index < LEDGER_RESERVED_ENTRIES; index++)
      await alice.ledger.append(named(alice, `a${String(index)}`))
    const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
    await exchangeAll([alice, bob, phone])
    const flood: LedgerEntry[] = []
    let heads: readonly EntryHash[] = phone.ledger.heads()
    for (let index = 0; index < 3; index++) {
      const ghost = await createTestDevice(random, 'ghost')
      const came = await write(phone, await admitted(phone, ghost), heads)
      const said = await chain(ghost, 400, [came.hash])
      const gone = await write(phone, { type: 'revoke', device: ghost.id }, [said.at(-1)?.hash as EntryHash])
      flood.push(came, ...said, gone)
      heads = [gone.hash]
    }
    for (const batch of batches(bytesOf(flood))) await alice.ledger.take(batch)
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    expect(alice.ledger.state().devices.get(phone.id)?.removedAt).not.toBeNull()
  })

  test('that made more devices than have a reserve: also who comes by the words is taken', async () => {
    const words = recoveryKeys(createRecoverySecret(random))
    await alice.ledger.append(recoveryDraft(words, alice.ledger.mesh, alice.person()))
    const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
    await exchangeAll([alice, bob, phone])
    const flood: LedgerEntry[] = []
    let heads: readonly EntryHash[] = phone.ledger.heads()
    const put = async (by: TestDevice, fields: EntryFields): Promise<void> => {
      const entry = await write(by, fields, heads)
      flood.push(entry)
      heads = [entry.hash]
    }
    const ghosts: TestDevice[] = []
    for (let index = 0; index < LEDGER_RESERVED_DEVICES_MAX; index++) {
      const ghost = await createTestDevice(random, 'ghost')
      ghosts.push(ghost)
      await put(phone, await admitted(phone, ghost))
    }
    for (const ghost of ghosts.slice(0, 3)) {
      const said = await chain(ghost, 400, heads)
      flood.push(...said)
      heads = [said.at(-1)?.hash as EntryHash]
      await put(phone, { type: 'revoke', device: ghost.id })
    }
    for (const batch of batches(bytesOf(flood))) {
      await alice.ledger.take(batch)
      await bob.ledger.take(batch)
    }
    const fresh = await createTestDevice(random, 'fresh')
    const { certificate } = fresh
    const proof = recoveryProof(words, alice.ledger.mesh, certificate)
    const admit = admitByRecovery({ person: alice.person(), sign: words.sign.publicKey }, proof, certificate)
    const back = await write(fresh, admit, bob.ledger.heads())
    expect((await bob.ledger.take([back.bytes])).added).toHaveLength(1)
    await alice.ledger.append({ type: 'revoke', device: phone.id })
    expect(alice.ledger.state().devices.get(phone.id)?.removedAt).not.toBeNull()
  })
})
