import { expect, test } from 'vitest'
import { addDevice, admitted, createTestDevice, exchangeAll, foundMesh } from '../tests/kit/ledger.ts'
import { createSeededRandom } from '../tests/kit/random.ts'
import { personEverOf } from './device-people.ts'

const random = createSeededRandom('device people')

test('a device whose admission came to nothing is still its person’s', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
  await exchangeAll([alice, phone])
  const late = await createTestDevice(random, 'late')
  await alice.ledger.append({ type: 'revoke', device: phone.id })
  await phone.ledger.append(await admitted(phone, late))
  await exchangeAll([alice, phone])
  for (const { ledger } of [alice, phone]) {
    expect(ledger.state().devices.has(late.id)).toBe(false)
    expect([phone.id, late.id].map((one) => personEverOf(one, ledger))).toEqual([alice.person(), alice.person()])
  }
  expect(personEverOf((await createTestDevice(random, 'stranger')).id, alice.ledger)).toBeUndefined()
})
