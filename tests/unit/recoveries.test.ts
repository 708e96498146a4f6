import { expect, test } from 'vitest'
import { RECOVERY_WRONG_MAX, RECOVERY_WRONG_MS, silentLogger, type EntryHash } from '../../mesh/base/index.ts'
import {
  admitByRecovery,
  recoveryDraft,
  recoveryProof,
  signConsent,
  signEntry,
  type Membership,
  type Subject,
} from '../../mesh/identity/index.ts'
import { createRecoveries } from '../../mesh/net/index.ts'
import { createRecoverySecret, recoveryKeys, type RecoveryKeys } from '../../mesh/seal/index.ts'
import { createTestDevice, exchange, foundMesh, addPerson, type TestDevice, type TestMember } from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('recoveries')
const { signal } = new AbortController()
const never = (): Promise<never> => Promise.reject(new TypeError('asked to write'))

/** The door of a member, with as much of its membership as it looks at. */
function doorOf(member: TestMember): ReturnType<typeof createRecoveries> {
  const state = () => member.ledger.state()
  const membership = {
    self: member.id,
    ledger: () => member.ledger,
    state,
    standing: () => 'member',
    admitted(id: TestDevice['id']) {
      const device = state().devices.get(id)
      return device === undefined || device.removedAt !== null ? undefined : device
    },
    subject: (id: TestDevice['id']): Subject =>
      state().people.get(state().devices.get(id)?.person as never)?.role ?? 'stranger',
  } as unknown as Membership
  return createRecoveries({ membership, clock: member.clock, log: silentLogger, spare: () => () => undefined })
}

async function world() {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const shelf = await addPerson(alice, await createTestDevice(random, 'shelf'), 'Shelf', 'helper-only')
  const keys = recoveryKeys(createRecoverySecret(random))
  await alice.ledger.append(recoveryDraft(keys, alice.ledger.mesh, alice.person()))
  await exchange(alice, shelf)
  return { alice, shelf, keys, fresh: await createTestDevice(random, 'fresh') }
}

const consentOf = ({ key, certificate }: TestDevice, { ledger }: TestMember, keys: RecoveryKeys): Promise<Uint8Array> =>
  signConsent(key, { by: 'recovery' }, { mesh: ledger.mesh, key: keys.sign.publicKey, certificate })

test('wrong words wait for their no, a few at once; right ones are let through meanwhile', async () => {
  const { alice, keys } = await world()
  const door = doorOf(alice)
  const wrong = Array.from({ length: RECOVERY_WRONG_MAX + 2 }, () =>
    door.meshOf(random.bytes(32), { signal }).catch((error: unknown) => (error as { code: string }).code),
  )
  expect(await Promise.all(wrong.slice(-2))).toEqual(['busy', 'busy'])
  expect(await door.meshOf(keys.sign.publicKey, { signal })).toBe(alice.ledger.mesh)
  let isOver = false
  void Promise.all(wrong).then(() => (isOver = true))
  alice.clock.advance(RECOVERY_WRONG_MS - 1)
  await Promise.resolve()
  expect(isOver).toBe(false)
  alice.clock.advance(1)
  expect(new Set(await Promise.all(wrong))).toEqual(new Set(['recovery-unknown', 'busy']))
  // and there is room again
  const next = door.meshOf(random.bytes(32), { signal })
  alice.clock.advance(RECOVERY_WRONG_MS)
  await expect(next).rejects.toMatchObject({ code: 'recovery-unknown' })
})

test('a proof for another mesh, another device or by another key brings nobody back', async () => {
  const { alice, keys, fresh } = await world()
  const elsewhere = await foundMesh(await createTestDevice(random, 'elsewhere'), random)
  const other = await createTestDevice(random, 'other')
  const door = doorOf(alice)
  const consent = await consentOf(fresh, alice, keys)
  const given = { device: fresh.id, certificate: fresh.certificate, key: keys.sign.publicKey, consent }
  const options = { write: never, signal }
  for (const proof of [
    recoveryProof(keys, elsewhere.ledger.mesh, fresh.certificate),
    recoveryProof(keys, alice.ledger.mesh, other.certificate),
    recoveryProof(recoveryKeys(createRecoverySecret(random)), alice.ledger.mesh, fresh.certificate),
    random.bytes(64),
  ])
    await expect(door.bringBack({ ...given, proof }, options)).rejects.toMatchObject({ code: 'integrity' })
  const proof = recoveryProof(keys, alice.ledger.mesh, fresh.certificate)
  await expect(door.bringBack({ ...given, device: other.id, proof }, options)).rejects.toMatchObject({
    code: 'refused',
  })
  // a consent for elsewhere, by another or made up is none
  for (const wrong of [
    await consentOf(fresh, elsewhere, keys),
    await consentOf(other, alice, keys),
    await signConsent(
      fresh.key,
      { by: 'words' },
      { mesh: alice.ledger.mesh, key: keys.sign.publicKey, certificate: fresh.certificate },
    ),
    random.bytes(64),
  ])
    await expect(door.bringBack({ ...given, proof, consent: wrong }, options)).rejects.toMatchObject({
      code: 'integrity',
    })
  // replaced between the two questions
  await alice.ledger.append({ type: 'recovery', person: alice.person(), keys: null })
  await expect(door.bringBack({ ...given, proof }, options)).rejects.toMatchObject({ code: 'recovery-unknown' })
  expect(alice.ledger.state().devices.has(fresh.id)).toBe(false)
})

test('who may admit nobody has the device write it itself, now and not earlier', async () => {
  const { alice, shelf, keys, fresh } = await world()
  const door = doorOf(shelf)
  const proof = recoveryProof(keys, shelf.ledger.mesh, fresh.certificate)
  const consent = await consentOf(fresh, shelf, keys)
  const given = { device: fresh.id, certificate: fresh.certificate, key: keys.sign.publicKey, proof, consent }
  const entry = async (by: TestDevice, parents: readonly EntryHash[]): Promise<Uint8Array> => {
    const fields = admitByRecovery({ person: alice.person(), sign: keys.sign.publicKey }, proof, fresh.certificate)
    return (await signEntry(by.key, fields, { parents, at: 0, mesh: shelf.ledger.mesh })).bytes
  }
  const older = shelf.ledger.entries().at(-2)?.hash
  for (const write of [
    () => entry(fresh, older === undefined ? [] : [older]),
    (_person: unknown, heads: readonly EntryHash[]) => entry(alice, heads),
    async (_person: unknown, parents: readonly EntryHash[]) => {
      const fields = { type: 'rename', name: 'Mine' } as const
      return (await signEntry(fresh.key, fields, { parents, at: 0, mesh: shelf.ledger.mesh })).bytes
    },
  ])
    await expect(door.bringBack(given, { write, signal })).rejects.toMatchObject({ code: 'refused' })
  await expect(door.bringBack(given, { write: () => Promise.resolve(random.bytes(200)), signal })).rejects.toMatchObject({ code: 'malformed' }) // prettier-ignore
  const told = await door.bringBack(given, { write: (_person, heads) => entry(fresh, heads), signal })
  expect(shelf.ledger.state().devices.get(fresh.id)).toMatchObject({ person: alice.person(), removedAt: null })
  // again, because its answer was lost
  expect(await door.bringBack(given, { write: never, signal })).toHaveLength(told.length)
})
