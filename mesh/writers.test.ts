import { expect, test } from 'vitest'
import { addDevice, addPerson, createTestDevice, exchangeAll, foundMesh, writersOf } from '../tests/kit/ledger.ts'
import { createSeededRandom } from '../tests/kit/random.ts'
import { scopeOf } from '../tests/kit/sync-peers.ts'

const random = createSeededRandom('writers')

test('a person may write as long as one of their devices may, whichever of them is asked about', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
  const all = [alice, mallory, phone]
  await exchangeAll(all)
  const mayWrite = (): (boolean | undefined)[] => [
    ...all.map(({ id }) => writersOf(alice).personMayWrite?.(id, scopeOf('mesh'))),
    writersOf(alice).personMayWrite?.(mallory.id, scopeOf(`person:${alice.person()}`)),
  ]
  expect(mayWrite()).toEqual([true, true, true, false])
  for (const { id } of [phone, mallory]) await alice.ledger.append({ type: 'revoke', device: id })
  expect(mayWrite()).toEqual([true, false, true, false])
  const stranger = await createTestDevice(random, 'stranger')
  expect(writersOf(alice).personMayWrite?.(stranger.id, scopeOf('mesh'))).toBe(false)
})
