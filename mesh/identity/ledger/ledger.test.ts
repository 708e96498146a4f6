import { describe, expect, test } from 'vitest'
import {
  addDevice,
  addPerson,
  admitWith,
  createTestDevice,
  exchange,
  exchangeAll,
  foundMesh,
  invite,
  joinMesh,
  ledgerPorts,
  reopened,
  type TestMember,
} from '../../../tests/kit/ledger.ts'
import { createMemoryStore, type MemoryData } from '../../../tests/kit/memory-store.ts'
import { createSeededRandom } from '../../../tests/kit/random.ts'
import { MeshError } from '../../base/index.ts'
import { loadLedger } from './ledger.ts'

const random = createSeededRandom('ledger')

interface World {
  readonly alice: TestMember
  readonly bob: TestMember
  readonly carol: TestMember
}

/** Alice founds, Bob is an owner, Carol a member. */
async function world(): Promise<World> {
  const alice = await foundMesh(await createTestDevice(random, 'desk'), random)
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
  const carol = await addPerson(alice, await createTestDevice(random, 'carol'), 'Carol', 'member')
  await exchangeAll([alice, bob, carol])
  return { alice, bob, carol }
}

describe('a mesh of one', () => {
  test('has this device and its person as owner from its first entry, and is named by its hash', async () => {
    const alice = await foundMesh(await createTestDevice(random, 'desk'), random)
    const state = alice.ledger.state()
    expect(state.name).toBe('Home')
    expect([...state.people.values()]).toMatchObject([{ name: 'Alice', role: 'owner', removedAt: null }])
    expect(state.devices.get(alice.id)).toMatchObject({ name: 'desk', kind: 'helper', removedAt: null })
    expect(alice.ledger.heads()).toEqual([alice.ledger.mesh])
  })

  test('is the same after a restart', async () => {
    const { alice, bob } = await world()
    await bob.ledger.append({ type: 'rename', name: 'Bob’s place' })
    await exchange(alice, bob)
    const again = await reopened(alice)
    expect(again.ledger.state()).toEqual(alice.ledger.state())
    expect(again.ledger.heads()).toEqual(alice.ledger.heads())
    expect(again.ledger.damage()).toEqual({ corrupt: 0, waiting: 0 })
  })
})

describe('an entry', () => {
  test('that its author may not write is refused before it is signed into anything', async () => {
    const { alice, carol } = await world()
    const before = carol.ledger.heads()
    for (const draft of [
      { type: 'revoke', device: alice.id },
      { type: 'role', person: carol.person(), role: 'owner' },
      { type: 'rename', name: 'Carol’s' },
    ] as const)
      await expect(carol.ledger.append(draft)).rejects.toMatchObject({ code: 'unauthorized' })
    expect(carol.ledger.heads()).toEqual(before)
  })

  test('that makes no sense is refused with what it is', async () => {
    const { alice, bob } = await world()
    await expect(alice.ledger.append({ type: 'revoke' })).rejects.toMatchObject({ code: 'usage' })
    await bob.ledger.append({ type: 'revoke', person: bob.person() })
    await exchange(alice, bob)
    await expect(alice.ledger.append({ type: 'revoke', person: bob.person() })).rejects.toMatchObject({
      code: 'conflict',
      detail: { rule: 'already-removed' },
    })
    await expect(alice.ledger.append({ type: 'revoke', device: alice.id })).rejects.toMatchObject({
      detail: { rule: 'keeps-an-owner' },
    })
  })
})

describe('entries of others', () => {
  test('taken twice, in reverse, or with holes make the same ledger', async () => {
    const { alice, bob, carol } = await world()
    await addDevice(bob, await createTestDevice(random, 'phone'))
    await carol.ledger.append({ type: 'rename', device: carol.id, name: 'blue' })
    await exchange(alice, bob)
    await exchange(alice, carol)
    const all = alice.ledger.missingFor([])
    const dave = await loadLedger(ledgerPorts(await createTestDevice(random, 'dave')), alice.ledger.mesh)
    const [last, ...others] = all.toReversed()
    if (last === undefined) throw new TypeError('an empty ledger')
    expect(await dave.take([last, last])).toMatchObject({ added: [], waiting: 1 })
    expect(dave.wanted().length).toBeGreaterThan(0)
    for (const entry of others) await dave.take([entry])
    expect(dave.damage().waiting).toBe(0)
    expect(dave.state()).toEqual(alice.ledger.state())
    expect((await dave.take(all)).added).toEqual([])
  })

  test('of a device that was removed and knew it are refused by everyone', async () => {
    const { alice, bob, carol } = await world()
    await alice.ledger.append({ type: 'revoke', person: bob.person() })
    await exchange(alice, bob)
    await expect(bob.ledger.append({ type: 'rename', name: 'Mine' })).rejects.toBeInstanceOf(MeshError)
    await exchange(alice, carol)
    expect(carol.ledger.state().people.get(bob.person())?.removedAt).not.toBeNull()
  })
})

describe('a disk that fails', () => {
  // each change is written twice, and only the first is what counts
  test.each([1, 3, 5])('at write %i acknowledges nothing false, and memory and disk agree', async (atWrite) => {
    const { alice, bob } = await world()
    await bob.ledger.append({ type: 'rename', name: 'One' })
    alice.store.failWrites({ code: 'storage-full', atWrite })
    let done = 0
    for (const work of [
      () => alice.ledger.append({ type: 'rename', name: 'Two' }),
      () => alice.ledger.take(bob.ledger.missingFor(alice.ledger.heads())),
      () => alice.ledger.append({ type: 'rename', name: 'Three' }),
    ]) {
      const before = alice.ledger.state()
      try {
        await work()
        done += 1
      } catch (error) {
        expect(error).toMatchObject({ code: 'storage-full' })
        expect(alice.ledger.state()).toEqual(before)
      }
      expect((await reopened(alice)).ledger.state()).toEqual(alice.ledger.state())
    }
    expect(done).toBe(2)
  })

  test('a stored entry that is damaged is in the second place, and nothing comes undone', async () => {
    const { alice, bob } = await world()
    await alice.ledger.append({ type: 'revoke', person: bob.person() })
    const entries = alice.ledger.entries().length
    for (const place of ['', 'second/']) {
      for (let at = 0; at < entries; at++) {
        const name = `${place}ledger/${alice.ledger.mesh}`
        const data: MemoryData = { records: new Map(alice.store.data.records), logs: new Map(alice.store.data.logs) }
        const log = (data.logs.get(name) ?? []).map((entry) => ({ ...entry }))
        // as the sealed store tells what does not open
        Object.assign(log[at] ?? {}, { bytes: undefined })
        data.logs.set(name, log)
        const again = await reopened({ ...alice, store: createMemoryStore(data) })
        expect(again.ledger.damage(), name).toEqual({ corrupt: 0, waiting: 0 })
        expect(again.ledger.state()).toEqual(alice.ledger.state())
        // and it is in both places again
        const twice = [...data.logs].filter(([one]) => one.includes(`ledger/${alice.ledger.mesh}`))
        expect(
          twice.map(([, kept]) => kept.filter(({ bytes }) => (bytes as Uint8Array | undefined) !== undefined).length),
        ).toEqual([entries, entries])
      }
    }
  })

  test('a stored entry that rotted is told, the rest is there, and the others give it back', async () => {
    const { alice, bob } = await world()
    for (const name of [`ledger/${alice.ledger.mesh}`, `second/ledger/${alice.ledger.mesh}`]) {
      const second = alice.store.data.logs.get(name)?.[1]
      if (second === undefined) throw new TypeError('nothing stored')
      second.bytes.fill(0, 10, 20)
    }
    const again = await reopened(alice)
    expect(again.ledger.damage()).toEqual({ corrupt: 1, waiting: 1 })
    expect(again.ledger.state().name).toBe('Home')
    await again.ledger.take(bob.ledger.missingFor(again.ledger.heads()))
    expect(again.ledger.state()).toEqual(bob.ledger.state())
    expect((await reopened(again)).ledger.state()).toEqual(bob.ledger.state())
  })
})

describe('an invitation', () => {
  test('admits once, to the person it names, whoever of the mesh writes it down', async () => {
    const { alice, bob, carol } = await world()
    const secret = await invite(alice, random, { name: 'Dora' })
    await exchange(alice, carol)
    const dora = await createTestDevice(random, 'dora')
    await admitWith(carol, secret, dora)
    const there = await joinMesh(dora, carol)
    expect(there.ledger.state().people.get(there.person())).toMatchObject({ name: 'Dora', role: 'member' })
    await exchange(alice, carol)
    await expect(admitWith(alice, secret, await createTestDevice(random, 'eve'))).rejects.toMatchObject({
      detail: { rule: 'invitation-not-open' },
    })
    expect([...alice.ledger.state().invitations.values()]).toMatchObject([{ state: 'used', usedBy: dora.id }])
    expect(bob.ledger.state().invitations.size).toBe(0)
  })
})
