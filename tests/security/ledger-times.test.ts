import { expect, test } from 'vitest'
import { LEDGER_ALLOWANCE_ENTRIES, LEDGER_HEADS_MAX, type EntryHash } from '../../mesh/base/index.ts'
import { admitByRecovery, recoveryDraft, recoveryProof, signEntry } from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import { addPerson, createTestDevice, exchangeAll, foundMesh } from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('the ledger and time')
const DAY_MS = 24 * 60 * 60_000

test('a clock that somebody set far ahead keeps nobody who comes later from growing older', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const helper = await addPerson(alice, await createTestDevice(random, 'helper'), 'Helper', 'helper-only')
  await exchangeAll([alice, helper])
  const fields = { type: 'rename', device: helper.id, name: 'x' } as const
  const parents = helper.ledger.heads()
  const lie = await signEntry(helper.key, fields, { parents, at: Number.MAX_SAFE_INTEGER, mesh: alice.ledger.mesh })
  await alice.ledger.take([lie.bytes])
  const carol = await addPerson(alice, await createTestDevice(random, 'carol'), 'Carol', 'member')
  for (let index = 0; index < LEDGER_ALLOWANCE_ENTRIES; index++)
    await carol.ledger.append({ type: 'rename', device: carol.id, name: `n${String(index)}` })
  await carol.clock.advanceAsync(1_000 * DAY_MS)
  await carol.ledger.append({ type: 'rename', device: carol.id, name: 'three years later' })
}, 60_000)

test('many branches at an early place do not keep who has the words out of a helper’s door', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  await exchangeAll([alice, mallory])
  const early = mallory.ledger.heads()
  const words = recoveryKeys(createRecoverySecret(random))
  await alice.ledger.append(recoveryDraft(words, alice.ledger.mesh, alice.person()))
  const mine = alice.ledger.heads()[0] as EntryHash
  let made = 0
  for (let at = 1; made < LEDGER_HEADS_MAX; at++) {
    const fields = { type: 'rename', device: mallory.id, name: 'x' } as const
    const entry = await signEntry(mallory.key, fields, { parents: early, at, mesh: alice.ledger.mesh })
    if (entry.hash > mine) continue
    made += 1
    await alice.ledger.take([entry.bytes])
  }
  // as `takeOwn` of mesh/net/recoveries.ts asks for
  const heads = alice.ledger.nextParents()
  const back = await createTestDevice(random, 'back')
  const proof = recoveryProof(words, alice.ledger.mesh, back.certificate)
  const admit = admitByRecovery({ person: alice.person(), sign: words.sign.publicKey }, proof, back.certificate)
  const came = await signEntry(back.key, admit, { parents: heads, at: 1, mesh: alice.ledger.mesh })
  expect((await alice.ledger.take([came.bytes])).refused).toEqual([])
  expect(alice.ledger.state().devices.get(back.id)).toBeDefined()
})
