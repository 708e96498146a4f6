import { expect, test } from 'vitest'
import type { EntryHash } from '../../mesh/base/index.ts'
import { signEntry, type EntryFields } from '../../mesh/identity/index.ts'
import {
  addDevice,
  createTestDevice,
  exchangeAll,
  foundMesh,
  joinMesh,
  reopened,
  type TestDevice,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('the ledger and late entries')

test('a removed device that sends something void makes nobody forget who went on from its removal', async () => {
  const thief = await foundMesh(await createTestDevice(random, 'thief'), random)
  const phone = await addDevice(thief, await createTestDevice(random, 'phone'))
  await exchangeAll([thief, phone])
  const early = thief.ledger.heads()
  const tablet = await addDevice(thief, await createTestDevice(random, 'tablet'))
  await exchangeAll([thief, phone, tablet])
  let at = 0
  const write = async (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[]) =>
    signEntry(by.key, fields, { parents, at: at++, mesh: thief.ledger.mesh })
  const named = (by: TestDevice, name: string): EntryFields => ({ type: 'rename', device: by.id, name })
  const known = await write(thief, named(thief, 'knows both'), thief.ledger.heads())
  const removal = await write(phone, { type: 'revoke', device: thief.id }, [known.hash])
  const goesOn = await write(tablet, named(tablet, 'goes on'), [removal.hash])
  // the thief, by what it says it wrote before
  const taken = await write(thief, named(thief, 'x'), early)
  const nothing = await write(thief, { type: 'invite-revoked', id: '0'.repeat(32) as never }, early)
  const undoing = await write(thief, { type: 'revoke', device: phone.id }, early)

  const a = await joinMesh(await createTestDevice(random, 'a'), phone)
  for (const { bytes } of [known, removal, taken, nothing, goesOn, undoing]) await a.ledger.take([bytes])
  expect(a.ledger.state().devices.get(thief.id)?.removedAt).not.toBeNull()
  expect(a.ledger.state().devices.get(phone.id)?.removedAt).toBeNull()
  expect((await reopened(a)).ledger.state()).toEqual(a.ledger.state())
})
