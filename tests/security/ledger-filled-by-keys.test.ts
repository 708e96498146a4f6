import { expect, test } from 'vitest'
import { LEDGER_ALLOWANCE_ENTRIES, silentLogger, type EntryHash } from '../../mesh/base/index.ts'
import { createEpochs, signEntry } from '../../mesh/identity/index.ts'
import { addPerson, admitted, createTestDevice, exchangeAll, foundMesh } from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('the ledger and keys')

test('an owner can remove a member who made it write a key for each of many devices', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  await exchangeAll([alice, mallory])
  const epochs = await createEpochs({
    ledger: alice.ledger,
    self: alice.id,
    sealingKey: alice.sealing,
    random,
    clock: alice.clock,
    log: silentLogger,
  })
  const lookAfter = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      try {
        await epochs.maintain()
      } catch {
        // said and tried again by `keepEpochs`
      }
      await alice.clock.advanceAsync(61_000)
    }
  }
  await lookAfter()
  for (let index = 0; index < 20; index++)
    await alice.ledger.append({ type: 'rename', device: alice.id, name: `a${String(index)}` })
  // one entry for each device; whoever holds the keys writes one more for it, on its own account
  let parents: readonly EntryHash[] = alice.ledger.heads()
  const entries: Uint8Array[] = []
  for (let index = 0; index < LEDGER_ALLOWANCE_ENTRIES - 8; index++) {
    const ghost = await createTestDevice(random, 'x')
    const fields = await admitted(mallory, ghost)
    const entry = await signEntry(mallory.key, fields, { parents, at: index, mesh: alice.ledger.mesh })
    entries.push(entry.bytes)
    parents = [entry.hash]
  }
  await alice.ledger.take(entries)
  await lookAfter()
  const own = alice.ledger.entries().filter(({ author }) => author === alice.id).length
  console.log(`alice wrote ${String(own)} entries`)
  await alice.ledger.append({ type: 'revoke', person: mallory.person() })
  expect(alice.ledger.state().people.get(mallory.person())?.removedAt).not.toBeNull()
}, 180_000)
