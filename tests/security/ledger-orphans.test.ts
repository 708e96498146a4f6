import { expect, test } from 'vitest'
import { LEDGER_WAITING_MAX, type EntryHash } from '../../mesh/base/index.ts'
import { signEntry } from '../../mesh/identity/index.ts'
import { addPerson, createTestDevice, exchangeAll, foundMesh } from '../kit/ledger.ts'
import { toHex } from '../../mesh/wire/index.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('the ledger and waiting')

test('entries that wait for nothing cost little with every frame that comes after', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const helper = await addPerson(alice, await createTestDevice(random, 'helper'), 'Helper', 'helper-only')
  await exchangeAll([alice, helper])
  // signed by keys that belong nowhere, linking what does not exist
  const stranger = await createTestDevice(random, 'stranger')
  const mesh = alice.ledger.mesh
  const orphans: Uint8Array[] = []
  for (let index = 0; index < LEDGER_WAITING_MAX; index++) {
    const parents = Array.from({ length: 16 }, () => toHex(random.bytes(32)) as EntryHash)
    const fields = { type: 'rename', device: stranger.id, name: 'x' } as const
    orphans.push((await signEntry(stranger.key, fields, { parents, at: 1, mesh })).bytes)
  }
  for (let from = 0; from < orphans.length; from += 256) await alice.ledger.take(orphans.slice(from, from + 256))
  console.log(alice.ledger.damage())
  const start = process.cpuUsage()
  for (let index = 0; index < 50; index++) await alice.ledger.take(orphans.slice(index, index + 1))
  const { user, system } = process.cpuUsage(start)
  const ms = (user + system) / 1000 / 50
  console.log(`${ms.toFixed(1)} ms for a frame of one entry`)
  expect(ms).toBeLessThan(2)
}, 60_000)
