import { beforeEach, describe, expect, test } from 'vitest'
import type { EntryHash, PersonId } from '../../mesh/base/index.ts'
import {
  admissionProof,
  invitationIdOfKey,
  invitationKey,
  inviteDraft,
  recoveryDraft,
  RULES,
  signCertificate,
  signEntry,
  termsOfInvitation,
  type ConsentTerms,
  type EntryFields,
  type LedgerEntry,
  type LedgerState,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admitted,
  admittedWith,
  createTestDevice,
  exchangeAll,
  foundEarlierMesh,
  foundMesh,
  invite,
  invited,
  joinMesh,
  recovered,
  reopened,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { createSeededRandom } from '../kit/random.ts'

// A device is let in as what it agreed to, and as nothing else, whatever members write of it.

const random = createSeededRandom('consent in the ledger')

let alice: TestMember
let phone: TestMember
let bob: TestMember
let mallory: TestMember
/** On its way in; everybody has seen its certificate. */
let late: TestDevice

async function begin(found: typeof foundMesh): Promise<void> {
  alice = await found(await createTestDevice(random, 'alice'), random)
  phone = await addDevice(alice, await createTestDevice(random, 'phone'))
  bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
  mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  await exchangeAll([alice, phone, bob, mallory])
  late = await createTestDevice(random, 'late')
}

const write = (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[], at = 0): Promise<LedgerEntry> =>
  signEntry(by.key, fields, { parents, at, mesh: alice.ledger.mesh })

const claim = (): EntryFields => ({ type: 'admit', certificate: late.certificate, person: mallory.person() })
const personOf = (state: LedgerState, device: TestDevice): PersonId | undefined => {
  const known = state.devices.get(device.id)
  return known?.removedAt === null ? known.person : undefined
}

/** What everybody comes to, who hears these in any order on top of what Alice has. */
async function settled(entries: readonly LedgerEntry[]): Promise<LedgerState> {
  const base = alice.ledger.missingFor([])
  const states: LedgerState[] = []
  for (let turn = 0; turn < entries.length; turn++) {
    const order = [...entries.slice(turn), ...entries.slice(0, turn)]
    for (const list of [order, order.toReversed()]) {
      const reader = await joinMesh(
        { ...(await createTestDevice(random, 'reader')), store: createMemoryStore() },
        alice,
      )
      for (const { bytes } of list) await reader.ledger.take([bytes])
      states.push(reader.ledger.state())
      const atOnce = await joinMesh(await createTestDevice(random, 'reader'), alice)
      await atOnce.ledger.take([...base, ...list.map(({ bytes }) => bytes)])
      states.push(atOnce.ledger.state())
      states.push((await reopened(atOnce)).ledger.state())
    }
  }
  const [first] = states
  if (first === undefined) throw new TypeError('nobody read')
  for (const state of states) expect(state).toEqual(first)
  return first
}

describe('in a mesh of this version', () => {
  beforeEach(() => begin(foundMesh))

  test('nobody is let in without its own word, by whoever and at whatever place that is written', async () => {
    const heads = alice.ledger.heads()
    const first = alice.ledger.entries()[0]?.hash as EntryHash
    const own = random.bytes(16)
    const key = invitationKey(own)
    const terms = { person: mallory.person(), role: 'member', confirmation: 'in-advance', now: 0 } as const
    const asked = await write(mallory, inviteDraft(own, mallory.id, { ...terms, lifetimeMs: 1 }), heads)
    await alice.ledger.take([asked.bytes])
    const proof = admissionProof(key.privateKey, alice.ledger.mesh, late.certificate)
    const { certificate } = late
    const claims = [
      await write(mallory, claim(), heads),
      await write(mallory, { ...claim(), invitation: { key: key.publicKey, proof } } as EntryFields, [asked.hash]),
      await write(alice, { type: 'admit', certificate, person: alice.person() }, heads),
      await write(alice, { type: 'admit', certificate, person: alice.person() }, [first]),
    ]
    const { refused, added } = await alice.ledger.take(claims.map(({ bytes }) => bytes))
    expect(added).toEqual([])
    expect(refused.map(({ reason }) => reason)).toEqual(claims.map(() => RULES['no-consent']))
    await expect(mallory.ledger.append(claim())).rejects.toMatchObject({ code: 'unauthorized' })
    expect(alice.ledger.state().devices.has(late.id)).toBe(false)
  })

  test('a device comes only as what it agreed to: by this invitation, as this person, with this role', async () => {
    const secret = await invite(alice, random, { name: 'Dora', role: 'member' })
    const key = invitationKey(secret).publicKey
    const invitation = alice.ledger.state().invitations.get(invitationIdOfKey(key))
    if (invitation === undefined) throw new TypeError('no invitation')
    const { person } = invitation
    const terms = termsOfInvitation(invitation)
    const others: ConsentTerms[] = [
      { ...terms, person: '' } as ConsentTerms,
      { ...terms, person: 'Doris' } as ConsentTerms,
      { ...terms, role: 'guest' } as ConsentTerms,
      { ...terms, confirmation: 'pictures' } as ConsentTerms,
      { ...terms, inviter: mallory.id } as ConsentTerms,
      { by: 'words' },
    ]
    for (const other of others) {
      const fields = await invited(alice.ledger.mesh, secret, late, { person, terms: other })
      const entry = await write(bob, fields, alice.ledger.heads())
      expect((await alice.ledger.take([entry.bytes])).refused).toMatchObject([{ reason: RULES['no-consent'] }])
    }
    // what it signed stands for nothing else: another mesh, device, certificate or key
    const honest = await admittedWith(alice.ledger, secret, late)
    const elsewhere = await foundMesh(await createTestDevice(random, 'elsewhere'), random)
    const stranger = await createTestDevice(random, 'stranger')
    const renewed = { sealingKey: stranger.sealing.publicKey, kind: 'helper', name: 'late', at: 1 } as const
    const certificate = await signCertificate(late.key, renewed)
    const own = random.bytes(16)
    for (const borrowed of [
      await invited(elsewhere.ledger.mesh, secret, late, { person, terms }),
      await invited(alice.ledger.mesh, own, late, { person, terms }),
      await invited(alice.ledger.mesh, secret, stranger, { person, terms }),
      await invited(alice.ledger.mesh, secret, { ...late, certificate }, { person, terms }),
    ])
      await expect(write(bob, { ...honest, consent: borrowed.consent }, alice.ledger.heads())).rejects.toMatchObject({
        code: 'integrity',
      })
    // and to another way than the one it is used for
    for (const way of [await admitted(bob, late), await recovered(alice.ledger.mesh, keys(), late, person)])
      await expect(write(bob, { ...honest, consent: way.consent }, alice.ledger.heads())).rejects.toMatchObject({
        code: 'malformed',
      })
    const byBob = await admitted(bob, late)
    await expect(write(mallory, { ...byBob, person: mallory.person() }, alice.ledger.heads())).rejects.toMatchObject({
      code: 'malformed',
    })
    await bob.ledger.take(alice.ledger.missingFor([]))
    await bob.ledger.append(honest)
    expect(bob.ledger.state().devices.get(late.id)).toMatchObject({ person, consented: true })
  })

  test('a word that was used brings nobody back after a removal, at whatever place they are written again', async () => {
    const secret = await invite(alice, random, { name: 'Dora' })
    const invitation = alice.ledger.heads()
    const byLink = await admittedWith(alice.ledger, secret, late)
    await alice.ledger.append(byLink)
    const other = await createTestDevice(random, 'other')
    const byDevice = await admitted(alice, other)
    await alice.ledger.append(byDevice)
    const third = await createTestDevice(random, 'third')
    const words = keys()
    await alice.ledger.append(recoveryDraft(words, alice.ledger.mesh, alice.person()))
    const known = alice.ledger.heads()
    const byWords = await recovered(alice.ledger.mesh, words, third, alice.person())
    await alice.ledger.append(byWords)
    for (const { id } of [late, other, third]) await alice.ledger.append({ type: 'revoke', device: id })
    await exchangeAll([alice, bob])
    for (const fields of [byLink, byDevice, byWords])
      await expect(alice.ledger.append(fields)).rejects.toMatchObject({ name: 'MeshError' })
    const again = [
      await write(alice, byLink, invitation),
      await write(bob, byLink, invitation),
      await write(alice, byDevice, invitation),
      await write(bob, byWords, known),
    ]
    const state = await settled(again)
    for (const device of [late, other, third]) expect(personOf(state, device)).toBeUndefined()
  })
})

const keys = () => recoveryKeys(createRecoverySecret(random))

describe('in a mesh that began before devices said a word of their own', () => {
  beforeEach(() => begin(foundEarlierMesh))

  test('who was let in without it stays, as long as nothing speaks against that', async () => {
    const state = await settled([
      await write(
        alice,
        { type: 'admit', certificate: late.certificate, person: alice.person() },
        alice.ledger.heads(),
      ),
    ])
    expect(personOf(state, late)).toBe(alice.person())
    expect(state.devices.get(late.id)?.consented).toBe(false)
  })

  test('a claim loses to the word of the device, made before it, at the same time, or from long ago', async () => {
    const heads = alice.ledger.heads()
    const first = alice.ledger.entries()[0]?.hash as EntryHash
    const came = alice.ledger.entries().find(({ certificate }) => certificate?.device === mallory.id)?.hash
    const claimed = await write(mallory, claim(), heads)
    const early = await write(mallory, claim(), [came ?? first])
    const seen = await write(alice, await admitted(alice, late), [claimed.hash])
    const unseen = await write(alice, await admitted(alice, late), heads)
    for (const entries of [
      [claimed, seen],
      [claimed, unseen],
      [early, unseen],
      [early, claimed, seen],
      [claimed, seen, await write(mallory, { type: 'rename', device: mallory.id, name: 'm' }, [claimed.hash])],
    ]) {
      const state = await settled(entries)
      expect(personOf(state, late)).toBe(alice.person())
      for (const entry of entries.filter(({ author, certificate }) => author === mallory.id && certificate))
        expect(state.ignored.get(entry.hash)).toBe('first-admission-wins')
    }
    // after it, a claim is void like any second admission
    const after = await write(mallory, claim(), [unseen.hash])
    expect(personOf(await settled([unseen, after]), late)).toBe(alice.person())
  })

  test('who claims a device cannot take it out again where it went', async () => {
    const claimed = await write(mallory, claim(), alice.ledger.heads())
    const told = await write(mallory, { type: 'revoke', device: late.id }, [claimed.hash])
    const kept = await write(mallory, { type: 'revoke', device: late.id }, [told.hash])
    const twin = await write(mallory, { type: 'revoke', device: late.id }, [claimed.hash], 1)
    const afterClaim = await write(alice, await admitted(alice, late), [claimed.hash])
    const afterAll = await write(alice, await admitted(alice, late), [told.hash])
    const on = await write(phone, { type: 'rename', device: phone.id, name: 'p' }, [afterClaim.hash])
    for (const entries of [
      [claimed, told, afterClaim],
      [claimed, told, afterClaim, on],
      [claimed, told, twin, afterAll],
      [claimed, told, kept, afterClaim],
    ])
      expect(personOf(await settled(entries), late)).toBe(alice.person())
  })

  test('a claimed device is nobody’s where the invitation it agreed to falls', async () => {
    const secret = await invite(bob, random, { name: 'Dora' })
    await exchangeAll([alice, bob, mallory])
    const heads = alice.ledger.heads()
    const claimed = await write(mallory, claim(), heads)
    const seen = await write(bob, await admittedWith(bob.ledger, secret, late), [claimed.hash])
    const unseen = await write(bob, await admittedWith(bob.ledger, secret, late), heads)
    const gone = await write(alice, { type: 'revoke', person: bob.person() }, heads)
    for (const word of [seen, unseen]) {
      const state = await settled([claimed, word, gone])
      expect(state.ignored.get(word.hash)).toBe('removal-first')
      expect(personOf(state, late)).toBeUndefined()
    }
  })

  test('comes back by its recovery words, whoever claims it, at a door and by itself', async () => {
    const words = keys()
    await alice.ledger.append(recoveryDraft(words, alice.ledger.mesh, alice.person()))
    await exchangeAll([alice, bob, mallory])
    const claimed = await write(mallory, claim(), alice.ledger.heads())
    const fields = await recovered(alice.ledger.mesh, words, late, alice.person())
    const { consent: _, ...alone } = fields
    for (const back of [await write(bob, fields, [claimed.hash]), await write(late, alone, [claimed.hash])])
      expect(personOf(await settled([claimed, back]), late)).toBe(alice.person())
  })

  test('a device that went on from how it was let in is moved by nobody, and what it did stays', async () => {
    const unasked = await write(
      alice,
      { type: 'admit', certificate: late.certificate, person: alice.person() },
      alice.ledger.heads(),
    )
    const fresh = await createTestDevice(random, 'fresh')
    const did = await write(late, await admitted({ ...late, ledger: alice.ledger, person: alice.person }, fresh), [
      unasked.hash,
    ])
    // its key was stolen, and says that it had agreed to be Mallory's all the while
    const agreed = await admitted(mallory, late)
    const early = await write(mallory, agreed, [unasked.hash])
    const later = await write(mallory, agreed, [did.hash])
    const state = await settled([unasked, did, early])
    expect([personOf(state, late), personOf(state, fresh)]).toEqual([alice.person(), alice.person()])
    const other = await settled([unasked, did, later])
    expect([personOf(other, late), personOf(other, fresh)]).toEqual([alice.person(), alice.person()])
  })

  test('of two that nobody asked the proven one counts', async () => {
    const secret = await invite(alice, random, { name: 'Eve' })
    const heads = alice.ledger.heads()
    const claimed = await write(mallory, claim(), mallory.ledger.heads())
    const { consent: _, ...proven } = await admittedWith(alice.ledger, secret, late)
    const state = await settled([claimed, await write(alice, proven, heads)])
    expect(personOf(state, late)).toBe(proven.person)
    expect(state.ignored.get(claimed.hash)).toBe('first-admission-wins')
  })

  test('a used invitation is final, also where another device agrees to it from long ago', async () => {
    const secret = await invite(phone, random)
    await exchangeAll([alice, phone, bob, mallory])
    const invitation = phone.ledger.heads()
    const { consent: _, ...used } = await admittedWith(phone.ledger, secret, late)
    const use = await write(phone, used, invitation)
    await alice.ledger.take([use.bytes])
    await alice.ledger.append({ type: 'rename', device: alice.id, name: 'went on' })
    const ghost = await createTestDevice(random, 'ghost')
    const state = await settled([await write(mallory, await admittedWith(phone.ledger, secret, ghost), invitation)])
    expect(personOf(state, late)).toBe(alice.person())
    expect(personOf(state, ghost)).toBeUndefined()
  })
})
