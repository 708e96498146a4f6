import { describe, expect, test } from 'vitest'
import {
  addDevice,
  addPerson,
  createTestDevice,
  exchange,
  exchangeAll,
  foundMesh,
  joinMesh,
  ledgerPorts,
  type TestDevice,
  type TestMember,
} from '../../tests/kit/ledger.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { KEYS_WITHHELD_MS, silentLogger, type EntryHash } from '../base/index.ts'
import { createRecoverySecret, createSealingKeyPair, recoveryKeys, type SealingKeyPair } from '../seal/index.ts'
import { openKeys, sealKeys } from './epoch-boxes.ts'
import { createEpochs, EPOCH_MAX_AGE_MS, EPOCH_STAGGER_MS } from './epochs.ts'
import type { Epochs } from './epochs-types.ts'
import {
  admitByRecovery,
  loadLedger,
  personScope,
  recoveryDraft,
  recoveryOfKey,
  recoveryProof,
  roomIdOf,
  roomScope,
  signCertificate,
  type ScopeId,
} from './ledger/index.ts'

const random = createSeededRandom('epochs')
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const HERE = text('here')

function epochsOf(member: TestMember, options: { sealing?: SealingKeyPair } = {}): Promise<Epochs> {
  const { ledger, clock, id, sealing } = member
  return createEpochs({
    ledger,
    clock,
    self: id,
    sealingKey: options.sealing ?? sealing,
    random,
    log: silentLogger,
  })
}

interface Pair {
  readonly alice: TestMember
  readonly bob: TestMember
  readonly keysOfAlice: Epochs
  readonly keysOfBob: Epochs
}

async function pair(): Promise<Pair> {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const keysOfAlice = await epochsOf(alice)
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
  const keysOfBob = await epochsOf(bob)
  return { alice, bob, keysOfAlice, keysOfBob }
}

async function seals(keys: Epochs, scope: ScopeId, message: string): Promise<{ id: string; box: Uint8Array }> {
  const { id, key } = await keys.current(scope)
  return { id, box: await key.seal(text(message), HERE, random) }
}

async function opens(
  keys: Epochs,
  scope: ScopeId,
  sealed: { id: string; box: Uint8Array },
): Promise<string | undefined> {
  const opened = await keys.get(scope, sealed.id)?.key.open(sealed.box, HERE)
  return opened === undefined ? undefined : new TextDecoder().decode(opened)
}

describe('a key of the mesh', () => {
  test('opens for every member what one of them sealed, also after a restart', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    const sealed = await seals(keysOfAlice, 'mesh', 'hello')
    await exchange(alice, bob)
    await keysOfBob.maintain()
    expect(await opens(keysOfBob, 'mesh', sealed)).toBe('hello')
    expect(await opens(await epochsOf(bob), 'mesh', sealed)).toBe('hello')
    expect((await keysOfBob.current('mesh')).id).toBe(sealed.id)
  })

  test('a removed device opens nothing that was sealed after its removal', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    const before = await seals(keysOfAlice, 'mesh', 'before')
    await exchange(alice, bob)
    await alice.ledger.append({ type: 'revoke', person: bob.person() })
    const after = await seals(keysOfAlice, 'mesh', 'after')
    await exchange(alice, bob)
    await keysOfBob.maintain()
    expect(await opens(keysOfBob, 'mesh', before)).toBe('before')
    expect(await opens(keysOfBob, 'mesh', after)).toBeUndefined()
    // nor with any box of the ledger and any key it holds
    const pairs = [bob.sealing]
    for (const { fields } of bob.ledger.entries()) {
      if (fields.type !== 'rotate' || fields.generation < 2) continue
      for (const { to, box } of fields.sealed)
        for (const own of pairs)
          await expect(
            openKeys(own, box, { mesh: bob.ledger.mesh, scope: 'mesh', to, what: fields.generation }, 1),
          ).rejects.toMatchObject({ code: 'integrity' })
    }
    await expect(keysOfBob.current('mesh')).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('a guest and a helper-only hold none', async () => {
    const { alice, keysOfAlice } = await pair()
    for (const role of ['guest', 'helper-only'] as const) {
      const other = await addPerson(alice, await createTestDevice(random, role), role, role)
      const sealed = await seals(keysOfAlice, 'mesh', 'members only')
      await keysOfAlice.maintain()
      await exchange(alice, other)
      const keys = await epochsOf(other)
      expect(await opens(keys, 'mesh', sealed)).toBeUndefined()
      await expect(keys.current('mesh')).rejects.toMatchObject({ code: 'unauthorized' })
      expect(await keys.maintain()).toEqual({ dueInMs: undefined })
    }
  })

  test('who is made a guest loses the next one', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    await seals(keysOfAlice, 'mesh', 'before')
    await exchange(alice, bob)
    await alice.ledger.append({ type: 'role', person: bob.person(), role: 'guest' })
    const after = await seals(keysOfAlice, 'mesh', 'after')
    await exchange(alice, bob)
    await keysOfBob.maintain()
    expect(await opens(keysOfBob, 'mesh', after)).toBeUndefined()
  })

  test('a false key given under its name is seen and not believed', async () => {
    const { alice, bob, keysOfAlice } = await pair()
    const sealed = await seals(keysOfAlice, 'mesh', 'true')
    const late = await addPerson(alice, await createTestDevice(random, 'late'), 'Late', 'member')
    await exchange(alice, bob)
    await exchange(bob, late)
    const place = { mesh: bob.ledger.mesh, scope: 'mesh', to: late.id, what: [sealed.id] } as const
    const box = await sealKeys(late.sealing.publicKey, [random.bytes(32)], place)
    await bob.ledger.append({
      type: 'share',
      scope: 'mesh',
      to: late.id,
      epochs: [Uint8Array.from(Buffer.from(sealed.id, 'hex'))],
      box,
    })
    await exchange(bob, late)
    const keysOfLate = await epochsOf(late)
    expect(keysOfLate.get('mesh', sealed.id)).toBeUndefined()
    await keysOfAlice.shareHistory('mesh', late.id)
    await exchange(alice, late)
    await keysOfLate.maintain()
    expect(await opens(keysOfLate, 'mesh', sealed)).toBe('true')
  })
})

describe('who comes later', () => {
  test('opens the older keys of the mesh and of its own person, and of no other person', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    const ofMesh = await seals(keysOfAlice, 'mesh', 'to all')
    const own = personScope(alice.person())
    const ofAlice = await seals(keysOfAlice, own, 'to me')
    const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
    await keysOfAlice.maintain()
    await exchange(alice, phone)
    const keysOfPhone = await epochsOf(phone)
    expect(await opens(keysOfPhone, 'mesh', ofMesh)).toBe('to all')
    expect(await opens(keysOfPhone, own, ofAlice)).toBe('to me')
    await exchange(alice, bob)
    await keysOfBob.maintain()
    expect(await opens(keysOfBob, own, ofAlice)).toBeUndefined()
    await expect(keysOfBob.current(own)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('to a room with the history of joining opens nothing from before, with all of it everything', async () => {
    for (const history of ['joining', 'all'] as const) {
      const { alice, bob, keysOfAlice, keysOfBob } = await pair()
      const entry = await alice.ledger.append({ type: 'room', people: [alice.person()], history })
      const room = roomIdOf(entry.hash)
      const scope = roomScope(room)
      const before = await seals(keysOfAlice, scope, 'before')
      await alice.ledger.append({ type: 'room-people', room, add: [bob.person()], remove: [] })
      const after = await seals(keysOfAlice, scope, 'after')
      await keysOfAlice.maintain()
      await exchange(alice, bob)
      await keysOfBob.maintain()
      expect(await opens(keysOfBob, scope, after)).toBe('after')
      expect(await opens(keysOfBob, scope, before)).toBe(history === 'all' ? 'before' : undefined)
    }
  })

  test('with a new sealing key is given the older keys again', async () => {
    const { alice, bob, keysOfAlice } = await pair()
    const sealed = await seals(keysOfAlice, 'mesh', 'old')
    await exchange(alice, bob)
    const fresh = createSealingKeyPair(random)
    const certificate = await signCertificate(bob.key, {
      name: 'bob',
      kind: 'helper',
      sealingKey: fresh.publicKey,
      at: bob.clock.now(),
    })
    await bob.ledger.append({ type: 'certify', certificate })
    await exchange(alice, bob)
    alice.clock.advance(0)
    await keysOfAlice.maintain()
    alice.clock.advance(EPOCH_STAGGER_MS * 3)
    await keysOfAlice.maintain()
    await exchange(alice, bob)
    expect(await opens(await epochsOf(bob, { sealing: fresh }), 'mesh', sealed)).toBe('old')
  })
})

describe('a recovery key', () => {
  test('opens what its person could open, on a device that comes back by itself', async () => {
    const { alice, keysOfAlice } = await pair()
    const recovery = recoveryKeys(createRecoverySecret(random))
    const own = personScope(alice.person())
    const before = await seals(keysOfAlice, own, 'before')
    await alice.ledger.append(recoveryDraft(recovery, alice.ledger.mesh, alice.person()))
    const after = await seals(keysOfAlice, own, 'after')
    await keysOfAlice.maintain()

    const device: TestDevice = await createTestDevice(random, 'new phone')
    const person = alice.person()
    const ledger = await loadLedger(ledgerPorts(device), alice.ledger.mesh)
    await ledger.take(alice.ledger.missingFor([]))
    const known = recoveryOfKey(ledger.state(), recovery.sign.publicKey)
    if (known === undefined) throw new TypeError('no recovery key')
    await ledger.append(
      admitByRecovery(known, recoveryProof(recovery, ledger.mesh, device.certificate), device.certificate),
    )
    const keys = await createEpochs({
      ledger,
      self: device.id,
      sealingKey: device.sealing,
      recovery: { person, pair: recovery.seal },
      random,
      clock: device.clock,
      log: silentLogger,
    })
    expect(await opens(keys, own, before)).toBe('before')
    expect(await opens(keys, own, after)).toBe('after')
    // and keeps it without the words
    await keys.maintain()
    const without = await createEpochs({
      ledger,
      self: device.id,
      sealingKey: device.sealing,
      random,
      clock: device.clock,
      log: silentLogger,
    })
    expect(await opens(without, own, before)).toBe('before')
  })

  test('that was replaced is sealed to no more', async () => {
    const { alice, keysOfAlice } = await pair()
    const person = alice.person()
    const own = personScope(person)
    const fresh = () => recoveryKeys(createRecoverySecret(random))
    const old = fresh()
    await alice.ledger.append(recoveryDraft(old, alice.ledger.mesh, person))
    const first = await keysOfAlice.current(own)
    await alice.ledger.append(recoveryDraft(fresh(), alice.ledger.mesh, person))
    const second = await keysOfAlice.current(own)
    expect(second.id).not.toBe(first.id)
    const rotation = alice.ledger.entry(second.id as EntryHash)?.fields
    if (rotation?.type !== 'rotate') throw new TypeError('no rotation')
    for (const { to, box } of rotation.sealed)
      await expect(
        openKeys(old.seal, box, { mesh: alice.ledger.mesh, scope: own, to, what: rotation.generation }, 1),
      ).rejects.toMatchObject({ code: 'integrity' })
  })
})

describe('keeping the keys in order', () => {
  test('whoever removed rotates at once, the others only if it stays undone', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    const carol = await addPerson(alice, await createTestDevice(random, 'carol'), 'Carol', 'member')
    await keysOfAlice.maintain()
    await exchangeAll([alice, bob, carol])
    await keysOfBob.maintain()
    await bob.ledger.append({ type: 'revoke', device: carol.id })
    await exchange(alice, bob)
    const first = await keysOfAlice.maintain()
    expect(first.dueInMs).toBeGreaterThan(0)
    const count = (): number => alice.ledger.state().epochs.get('mesh')?.length ?? 0
    expect(count()).toBe(1)
    alice.clock.advance(first.dueInMs ?? 0)
    await keysOfAlice.maintain()
    expect(count()).toBe(2)
    await keysOfBob.maintain()
    await exchange(alice, bob)
    // both did it: harmless, and both write with the same
    expect((await keysOfAlice.current('mesh')).id).toBe((await keysOfBob.current('mesh')).id)
  })

  test('whoever removed a device that was given the key later rotates at once too', async () => {
    const { alice, keysOfAlice } = await pair()
    await keysOfAlice.maintain()
    const before = await keysOfAlice.current('mesh')
    const carol = await addPerson(alice, await createTestDevice(random, 'carol'), 'Carol', 'member')
    await keysOfAlice.maintain()
    expect((await keysOfAlice.current('mesh')).id).toBe(before.id)
    await alice.ledger.append({ type: 'revoke', device: carol.id })
    await keysOfAlice.maintain()
    expect((await keysOfAlice.current('mesh')).id).not.toBe(before.id)
  })

  test('a key that a device makes beside its removal does not count, one that another makes unheard does', async () => {
    const { alice, bob, keysOfAlice } = await pair()
    const carol = await addPerson(alice, await createTestDevice(random, 'carol'), 'Carol', 'member')
    await keysOfAlice.maintain()
    await exchangeAll([alice, bob, carol])
    await alice.ledger.append({ type: 'revoke', device: carol.id })
    await keysOfAlice.maintain()
    const makes = async ({ ledger }: TestMember): Promise<EntryHash> => {
      const sealed = [{ to: carol.id, box: random.bytes(80) }]
      return (await ledger.append({ type: 'rotate', scope: 'mesh', generation: 2, check: random.bytes(32), sealed }))
        .hash
    }
    const [hers, his] = [await makes(carol), await makes(bob)]
    await exchangeAll([alice, bob, carol])
    const counts = new Map(
      alice.ledger
        .state()
        .epochs.get('mesh')
        ?.map((one) => [one.id, one.counts]),
    )
    expect([counts.get(hers), counts.get(his), [...counts.values()].filter(Boolean).length]).toEqual([false, true, 3])
  })

  test('done twice does nothing the second time', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    await keysOfAlice.maintain()
    await exchange(alice, bob)
    await keysOfBob.maintain()
    await exchange(alice, bob)
    const entries = alice.ledger.entries().length
    expect(await keysOfAlice.maintain()).toEqual({ dueInMs: undefined })
    expect(await keysOfBob.maintain()).toEqual({ dueInMs: undefined })
    expect(alice.ledger.entries().length).toBe(entries)
  })

  test('a key older than thirty days is replaced', async () => {
    const { alice, keysOfAlice } = await pair()
    await keysOfAlice.maintain()
    const before = await keysOfAlice.current('mesh')
    alice.clock.jumpWallClock(EPOCH_MAX_AGE_MS + 1)
    await keysOfAlice.maintain()
    alice.clock.advance(EPOCH_STAGGER_MS * 4)
    await keysOfAlice.maintain()
    expect((await keysOfAlice.current('mesh')).generation).toBe(before.generation + 1)
  })

  test('others hear which keys can be opened now', async () => {
    const { alice, bob, keysOfAlice, keysOfBob } = await pair()
    const heard: string[] = []
    keysOfBob.changes.subscribe(({ scope, opened }) => heard.push(...opened.map((id) => `${scope} ${id}`)))
    const { id } = await keysOfAlice.current('mesh')
    await joinMesh(bob, alice)
    await exchange(alice, bob)
    await keysOfBob.maintain()
    expect(heard).toContain(`mesh ${id}`)
    keysOfBob.close()
  })
})

describe('a key that was given by a box that does not open', () => {
  const garbage = (): Uint8Array => random.bytes(80)
  const asBytes = (hash: EntryHash): Uint8Array => Uint8Array.from(Buffer.from(hash, 'hex'))

  test('is given by another holder to who the ledger says was given it, and to nobody else; a false one is not believed', async () => {
    const { alice, bob, keysOfAlice } = await pair()
    const sealed = await seals(keysOfAlice, 'mesh', 'true')
    const epochs = [sealed.id as EntryHash]
    const late = await addPerson(alice, await createTestDevice(random, 'late'), 'Late', 'member')
    const guest = await addPerson(alice, await createTestDevice(random, 'guest'), 'Guest', 'guest')
    await exchange(alice, bob)
    // nobody has said in the ledger that it may hold this one
    expect(await keysOfAlice.give('mesh', late.id, epochs)).toMatchObject({ epochs: [] })
    await bob.ledger.append({ type: 'share', scope: 'mesh', to: late.id, epochs: epochs.map(asBytes), box: garbage() })
    await exchangeAll([alice, bob, late])
    const keysOfLate = await epochsOf(late)
    expect([...keysOfLate.missing()]).toEqual([['mesh', epochs]])
    expect(await keysOfLate.take('mesh', { epochs, box: garbage() })).toBe(0)
    const place = { mesh: bob.ledger.mesh, scope: 'mesh', to: late.id, what: epochs } as const
    const other = await sealKeys(late.sealing.publicKey, [random.bytes(32)], place)
    expect(await keysOfLate.take('mesh', { epochs, box: other })).toBe(0)
    await expect(keysOfAlice.give('mesh', guest.id, epochs)).rejects.toMatchObject({ code: 'unauthorized' })
    expect(await keysOfLate.take('mesh', await keysOfAlice.give('mesh', late.id, epochs))).toBe(1)
    expect(await opens(keysOfLate, 'mesh', sealed)).toBe('true')
    expect(keysOfLate.missing().size).toBe(0)
    // kept for a restart, in one entry, and needed no entry of the giver
    expect(await opens(await epochsOf(late), 'mesh', sealed)).toBe('true')
    const shares = late.ledger.entries().filter(({ fields }) => fields.type === 'share')
    expect(shares.map(({ author }) => author).sort()).toEqual([bob.id, late.id].sort())
  })

  test('and that nobody gives is replaced after a while, less and less often', async () => {
    const { alice, bob, keysOfAlice } = await pair()
    await seals(keysOfAlice, 'mesh', 'before')
    await exchange(alice, bob)
    let rotations = 0
    for (let round = 0; round < 60; round++) {
      const generation = (bob.ledger.state().epochs.get('mesh')?.[0]?.generation ?? 0) + 1
      const sealed = [alice, bob].map(({ id: to }) => ({ to, box: garbage() }))
      await bob.ledger.append({ type: 'rotate', scope: 'mesh', generation, check: random.bytes(32), sealed })
      await exchange(alice, bob)
      await keysOfAlice.maintain()
      alice.clock.advance(KEYS_WITHHELD_MS)
      await keysOfAlice.maintain()
      alice.clock.advance(EPOCH_STAGGER_MS * 3)
      await keysOfAlice.maintain()
      const [newest] = alice.ledger.state().epochs.get('mesh') ?? []
      if (newest?.by !== alice.id) continue
      rotations += 1
      await exchange(alice, bob)
      expect((await keysOfAlice.current('mesh')).id).toBe(newest.id)
    }
    expect(rotations).toBeGreaterThan(0)
    expect(rotations).toBeLessThan(10)
  })

  test('and a device that says again and again that it lost its keys is given them less and less often', async () => {
    const { alice, bob, keysOfAlice } = await pair()
    await seals(keysOfAlice, 'mesh', 'before')
    await exchange(alice, bob)
    for (let round = 0; round < 60; round++) {
      alice.clock.advance(60_000)
      const at = alice.clock.now() + round
      const certificate = await signCertificate(bob.key, {
        name: 'bob',
        kind: 'helper',
        sealingKey: createSealingKeyPair(random).publicKey,
        at,
      })
      await bob.ledger.append({ type: 'certify', certificate })
      await exchange(alice, bob)
      await keysOfAlice.maintain()
      alice.clock.advance(EPOCH_STAGGER_MS * 3)
      await keysOfAlice.maintain()
      await exchange(alice, bob)
    }
    const shares = alice.ledger.entries().filter(({ fields }) => fields.type === 'share')
    expect(shares.length).toBeGreaterThan(1)
    expect(shares.length).toBeLessThan(10)
  })
})
