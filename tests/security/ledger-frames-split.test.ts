import { expect, test } from 'vitest'
import type { EntryHash } from '../../mesh/base/index.ts'
import { signEntry, type EntryFields, type LedgerEntry } from '../../mesh/identity/index.ts'
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

// The same entries, taken in two ways: who is removed must not depend on which frames came between.

const random = createSeededRandom('the ledger and a split')

test('a frame with a void entry in it changes nobody’s mind about who is removed', async () => {
  const thief = await foundMesh(await createTestDevice(random, 'thief'), random)
  const phone = await addDevice(thief, await createTestDevice(random, 'phone'))
  await exchangeAll([thief, phone])
  const early = thief.ledger.heads()
  const tablet = await addDevice(thief, await createTestDevice(random, 'tablet'))
  const laptop = await addDevice(thief, await createTestDevice(random, 'laptop'))
  await exchangeAll([thief, phone, tablet, laptop])
  const write = (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[]): Promise<LedgerEntry> =>
    signEntry(by.key, fields, { parents, at: by.clock.now(), mesh: thief.ledger.mesh })
  const named = (by: TestDevice, name: string): EntryFields => ({ type: 'rename', device: by.id, name })

  const known = await write(thief, named(thief, 'knows both'), thief.ledger.heads())
  // the person removes the stolen device; the thief removes the phone, as if long ago
  const removal = await write(phone, { type: 'revoke', device: thief.id }, [known.hash])
  const backdated = await write(thief, { type: 'revoke', device: phone.id }, early)
  const one = await write(tablet, named(tablet, 'one'), [removal.hash, backdated.hash])
  const other = await write(laptop, named(laptop, 'other'), [removal.hash, backdated.hash])
  // what anybody of the mesh may send: an entry that is void in what it saw, beside one that counts
  const bad = await write(thief, { type: 'rename', person: '0'.repeat(32) as never, name: 'x' }, early)
  const badToo = await write(thief, { type: 'invite-revoked', id: '0'.repeat(32) as never }, early)

  const a = await joinMesh(await createTestDevice(random, 'a'), phone)
  const b = await joinMesh(await createTestDevice(random, 'b'), phone)
  await a.ledger.take([known.bytes, removal.bytes, backdated.bytes, one.bytes])
  await b.ledger.take([known.bytes, removal.bytes, backdated.bytes, one.bytes])
  await a.ledger.take([other.bytes])
  await b.ledger.take([bad.bytes, badToo.bytes, other.bytes])
  expect(b.ledger.heads()).toEqual(a.ledger.heads())
  console.log(
    [a, b].map(({ ledger }) =>
      [thief, phone].map(({ id }) => (ledger.state().devices.get(id)?.removedAt === null ? 'in' : 'out')),
    ),
  )
  expect(b.ledger.state()).toEqual(a.ledger.state())
  expect((await reopened(b)).ledger.state()).toEqual(b.ledger.state())
})
