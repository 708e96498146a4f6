import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { asId, isMeshError, type EntryHash } from '../../mesh/base/index.ts'
import {
  admissionProof,
  createLedger,
  invitationKey,
  inviteDraft,
  loadLedger,
  openEntry,
  personIdOfDevice,
  recoveryDraft,
  signCertificate,
  signEntry,
  type EntryFields,
  type LedgerEntry,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import { decode, encode, fromHex } from '../../mesh/wire/index.ts'
import * as z from 'zod/mini'
import {
  addPerson,
  admitted,
  admittedBy,
  admitWith,
  createTestDevice,
  exchange,
  exchangeAll,
  foundMesh,
  invite,
  ledgerPorts,
  reopened,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('hostile ledger')
const MUTANTS = process.env['PLEXUS_TEST_FULL'] === '1' ? 100_000 : 2_000
const REFUSALS = ['malformed', 'too-large', 'integrity', 'unsupported'] as const

let alice: TestMember
let bob: TestMember
let mallory: TestMember
let stranger: TestDevice

beforeAll(async () => {
  alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
  mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  stranger = await createTestDevice(random, 'stranger')
  await exchangeAll([alice, bob, mallory])
})

const CONTEXT = new TextEncoder().encode('plexus ledger 1\n')
const parts = z.object({ body: z.instanceof(Uint8Array), signature: z.instanceof(Uint8Array) })

/** A signature with another nonce than RFC 8032 makes: as valid, and other bytes. */
function signedOtherwise(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
  const { Fn } = ed25519.Point
  const nonce = 12_345n
  const start = ed25519.Point.BASE.multiply(nonce).toBytes()
  const challenge = Fn.create(littleEndian(sha512(new Uint8Array([...start, ...pointBytes, ...message]))))
  const answer = Fn.create(nonce + challenge * scalar)
  return new Uint8Array([...start, ...Fn.toBytes(answer)])
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

/** An entry signed by whoever has the key, allowed or not. */
function signed(
  by: TestDevice,
  fields: EntryFields,
  parents: readonly EntryHash[] = alice.ledger.heads(),
): Promise<LedgerEntry> {
  return signEntry(by.key, fields, { parents, at: by.clock.now(), mesh: alice.ledger.mesh })
}

const first = (): EntryHash => asId<EntryHash>(alice.ledger.mesh)

async function expectNoEffect(entries: readonly Uint8Array[]): Promise<void> {
  const before = alice.ledger.state()
  await alice.ledger.take(entries)
  const after = alice.ledger.state()
  for (const key of ['name', 'people', 'devices', 'invitations', 'recoveries', 'rooms', 'shares'] as const)
    expect(after[key]).toEqual(before[key])
}

describe('an entry that is', () => {
  test('forged in any byte is refused', async () => {
    const genuine = alice.ledger.missingFor([]).at(-1)
    if (genuine === undefined) throw new TypeError('an empty ledger')
    for (let at = 0; at < genuine.byteLength; at += 3) {
      const forged = genuine.slice()
      forged[at] = (forged[at] ?? 0) ^ 1
      const result = await alice.ledger.take([forged])
      expect(result.added).toEqual([])
      expect(result.refused).toHaveLength(1)
    }
  })

  test('signed by a stranger, whatever it says, is refused and leaves nothing behind', async () => {
    const size = alice.ledger.entries().length
    const entries = await Promise.all([
      signed(stranger, { type: 'rename', name: 'Mine' }),
      signed(stranger, { type: 'certify', certificate: stranger.certificate }),
      signed(stranger, { type: 'revoke', device: alice.id }),
      signed(stranger, { type: 'admit', certificate: stranger.certificate, person: alice.person() }),
    ])
    const result = await alice.ledger.take(entries.map(({ bytes }) => bytes))
    expect(result.refused.map(({ code }) => code)).toEqual(Array(4).fill('not-admitted'))
    expect(alice.ledger.entries().length).toBe(size)
  })

  test('beyond the right of its author has no effect on anybody, and is kept by nobody', async () => {
    const invitation = inviteDraft(random.bytes(16), mallory.id, {
      person: { name: 'Friend' },
      role: 'owner',
      confirmation: 'in-advance',
      now: 0,
      lifetimeMs: 1,
    })
    const drafts: EntryFields[] = [
      { type: 'role', person: mallory.person(), role: 'owner' },
      { type: 'revoke', person: alice.person() },
      { type: 'revoke', device: bob.id },
      { type: 'rename', name: 'Mallory’s' },
      { type: 'rename', device: alice.id, name: 'fool' },
      await admittedBy(mallory.id, mallory.ledger.mesh, stranger, alice.person()),
      {
        ...(await admitted(mallory, stranger)),
        person: personIdOfDevice(stranger.id),
        newPerson: { name: 'Friend', role: 'member' },
      },
      invitation,
      recoveryDraft(recoveryKeys(createRecoverySecret(random)), mallory.ledger.mesh, bob.person()),
      { type: 'room', people: [alice.person(), bob.person()], history: 'all' },
    ]
    const entries = await Promise.all(drafts.map((draft) => signed(mallory, draft)))
    const size = alice.ledger.entries().length
    await expectNoEffect(entries.map(({ bytes }) => bytes))
    const { refused } = await alice.ledger.take(entries.map(({ bytes }) => bytes))
    expect(refused.map(({ code }) => code)).toEqual(entries.map(() => 'unauthorized'))
    expect(alice.ledger.entries().length).toBe(size)
    expect(await alice.store.readLog(`ledger/${alice.ledger.mesh}`, 0)).toHaveLength(size)
  })

  test('a recovery key its author does not hold, or of another mesh, person or sealing key, is refused', async () => {
    const keys = recoveryKeys(createRecoverySecret(random))
    const elsewhere = await foundMesh(await createTestDevice(random, 'elsewhere'), random)
    const own = recoveryDraft(keys, alice.ledger.mesh, mallory.person())
    const drafts = [
      recoveryDraft(keys, elsewhere.ledger.mesh, mallory.person()),
      { ...recoveryDraft(keys, alice.ledger.mesh, bob.person()), person: mallory.person() },
      { ...own, keys: own.keys && { ...own.keys, seal: random.bytes(32) } },
      { ...own, keys: own.keys && { ...own.keys, sign: recoveryKeys(createRecoverySecret(random)).sign.publicKey } },
    ]
    for (const draft of drafts) await expect(signed(mallory, draft)).rejects.toMatchObject({ code: 'integrity' })
  })

  test('the beginning of another mesh is refused', async () => {
    const other = await createLedger(ledgerPorts(await createTestDevice(random, 'elsewhere')), {
      name: 'Elsewhere',
      person: { id: alice.person(), name: 'Alice' },
      certificate: (await createTestDevice(random, 'x')).certificate,
    }).catch((error: unknown) => error)
    expect(isMeshError(other, 'malformed')).toBe(true)
    const elsewhere = await foundMesh(await createTestDevice(random, 'elsewhere'), random)
    const result = await alice.ledger.take(elsewhere.ledger.missingFor([]))
    expect(result).toMatchObject({ added: [], refused: [{ code: 'integrity' }] })
  })
})

describe('a removed device', () => {
  test('gets nothing in by claiming that it did not know', async () => {
    const heads = alice.ledger.heads()
    await alice.ledger.append({ type: 'revoke', person: mallory.person() })
    const entries = await Promise.all([
      signed(mallory, { type: 'rename', device: mallory.id, name: 'still here' }, heads),
      signed(mallory, { type: 'certify', certificate: mallory.certificate }, [first()]),
      signed(mallory, { type: 'rename', device: mallory.id, name: 'and here' }),
    ])
    await expectNoEffect(entries.map(({ bytes }) => bytes))
    expect(alice.ledger.state().devices.get(mallory.id)?.removedAt).not.toBeNull()
    await exchange(alice, bob)
    expect(bob.ledger.state()).toEqual(alice.ledger.state())
  })

  test('takes nobody with it under another’s name', async () => {
    // a second device in Bob's person, written by who is not Bob
    const friend = await createTestDevice(random, 'friend')
    const fields = await admittedBy(mallory.id, mallory.ledger.mesh, friend, bob.person())
    const entry = await signed(mallory, fields, [first()])
    await expectNoEffect([entry.bytes])
  })
})

describe('proofs', () => {
  test('of one certificate, mesh or invitation are worth nothing for another', async () => {
    const secret = await invite(alice, random, { name: 'Dora' })
    const key = invitationKey(secret)
    const dora = await createTestDevice(random, 'dora')
    const proof = admissionProof(key.privateKey, alice.ledger.mesh, dora.certificate)
    const [invitation] = [...alice.ledger.state().invitations.values()].slice(-1)
    if (invitation === undefined) throw new TypeError('no invitation')
    const stolen = {
      type: 'admit',
      certificate: stranger.certificate,
      person: invitation.person,
      invitation: { key: key.publicKey, proof },
    } as const
    await expect(signed(bob, stolen)).rejects.toMatchObject({ code: 'integrity' })
    const own = await createTestDevice(random, 'dora')
    const renewed = await signCertificate(dora.key, {
      name: 'dora',
      kind: 'helper',
      sealingKey: own.sealing.publicKey,
      at: 1,
    })
    await expect(signed(bob, { ...stolen, certificate: renewed })).rejects.toMatchObject({ code: 'integrity' })
  })

  test('an invitation cannot be published by who does not hold its secret', async () => {
    const draft = inviteDraft(random.bytes(16), alice.id, {
      person: { name: 'Dora' },
      role: 'guest',
      confirmation: 'in-advance',
      now: 0,
      lifetimeMs: 1,
    })
    await expect(signed(bob, draft)).rejects.toMatchObject({ code: 'integrity' })
  })

  test('an invitation shown on a screen is written down only by a device of the inviter', async () => {
    const secret = await invite(alice, random, { name: 'Dora', confirmation: 'pictures' })
    await exchange(alice, bob)
    const dora = await createTestDevice(random, 'dora')
    await expect(admitWith(bob, secret, dora)).rejects.toMatchObject({ code: 'unauthorized' })
    await admitWith(alice, secret, dora)
    expect(alice.ledger.state().devices.has(dora.id)).toBe(true)
  })
})

describe('a ledger told by others', () => {
  test('that is truncated, rolled back or forked takes nothing away', async () => {
    const before = alice.ledger.state()
    const all = alice.ledger.missingFor([])
    for (const some of [all.slice(0, 1), all.slice(0, -2), [], all.toReversed()]) {
      await alice.ledger.take(some)
      expect(alice.ledger.state()).toBe(before)
    }
    expect((await reopened(alice)).ledger.state()).toEqual(before)
  })

  test('with entries missing waits for them, within bounds', async () => {
    const ledger = await loadLedger(ledgerPorts(await createTestDevice(random, 'late')), alice.ledger.mesh)
    const unknown = 'ab'.repeat(32) as EntryHash
    const orphans: Uint8Array[] = []
    for (let index = 0; index < 300; index++)
      orphans.push((await signed(bob, { type: 'rename', device: bob.id, name: `n${String(index)}` }, [unknown])).bytes)
    expect(await ledger.take(orphans)).toMatchObject({ added: [], waiting: 300, refused: [] })
    expect(ledger.wanted()).toEqual([unknown])
  })

  test('with another genuine signature of the same body is the same entry', async () => {
    const [entry] = alice.ledger.missingFor([])
    if (entry === undefined) throw new TypeError('an empty ledger')
    const { body, signature } = decode(entry, parts, { maxBytes: 300_000, what: 'An entry' })
    const message = new Uint8Array([...CONTEXT, ...body])
    const other = signedOtherwise(alice.key.privateKey.raw.subarray(0, 32), message)
    expect(other).not.toEqual(signature)
    const again = await openEntry(encode({ body, signature: other }), alice.ledger.mesh)
    expect(asId<EntryHash>(alice.ledger.mesh)).toBe(again.hash)
    expect(await alice.ledger.take([again.bytes])).toMatchObject({ added: [], refused: [] })
  })

  test('by a later version keeps what it does not know, without effect', async () => {
    const parents = bob.ledger.heads().map((head) => fromHex(head))
    const body = encode({ v: 1, type: 'prophecy', author: bob.id, parents, at: 1, says: 'rain' })
    const signature = await bob.key.sign(new Uint8Array([...CONTEXT, ...body]))
    const before = bob.ledger.state()
    const result = await bob.ledger.take([encode({ body, signature })])
    expect(result.added).toHaveLength(1)
    expect([...bob.ledger.state().ignored.values()]).toContain('unknown-type')
    expect(bob.ledger.state().devices).toEqual(before.devices)
    const next = await bob.ledger.append({ type: 'rename', device: bob.id, name: 'after' })
    expect(next.parents).toEqual(result.added)

    const later = encode({ v: 2, type: 'rename', author: bob.id, parents, at: 1, name: 'x' })
    const laterSignature = await bob.key.sign(new Uint8Array([...CONTEXT, ...later]))
    await expect(openEntry(encode({ body: later, signature: laterSignature }), bob.ledger.mesh)).rejects.toMatchObject({
      code: 'unsupported',
    })
  })
})

test(`hostile bytes are refused by name, and nothing else happens (${String(MUTANTS)} mutants)`, async () => {
  const samples = alice.ledger.missingFor([])
  const sample = fc.constantFrom(...samples)
  const damage = fc.array(fc.tuple(fc.nat(100_000), fc.nat(255)), { minLength: 1, maxLength: 4 })
  const damaged = fc.tuple(sample, damage, fc.nat(100_000)).map(([bytes, changes, cut]) => {
    const mutant = bytes.slice(0, cut % 4 === 0 ? cut % bytes.byteLength : bytes.byteLength)
    for (const [at, value] of changes) if (mutant.byteLength > 0) mutant[at % mutant.byteLength] = value
    return mutant
  })
  // the body changed and signed again: what gets past the signature
  const resigned = fc.tuple(sample, damage).map(([bytes, changes]) => {
    const { body } = decode(bytes, parts, { maxBytes: 300_000, what: 'A sample' })
    const mutant = body.slice()
    for (const [at, value] of changes) mutant[at % mutant.byteLength] = value
    return mutant
  })
  let slowestMs = 0
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        damaged.map((bytes) => ({ bytes, sign: false })),
        fc.uint8Array({ maxLength: 400 }).map((bytes) => ({ bytes, sign: false })),
        resigned.map((bytes) => ({ bytes, sign: true })),
      ),
      async ({ bytes, sign }) => {
        const start = performance.now()
        const input = sign
          ? encode({ body: bytes, signature: await alice.key.sign(new Uint8Array([...CONTEXT, ...bytes])) })
          : bytes
        try {
          await openEntry(input, alice.ledger.mesh)
        } catch (error) {
          expect(REFUSALS.some((code) => isMeshError(error, code))).toBe(true)
        }
        slowestMs = Math.max(slowestMs, performance.now() - start)
      },
    ),
    { numRuns: MUTANTS },
  )
  console.log(`slowest mutant: ${slowestMs.toFixed(1)} ms`)
  await expect(openEntry(new Uint8Array(300_000), alice.ledger.mesh)).rejects.toMatchObject({ code: 'too-large' })
}, 600_000)
