import { beforeEach, describe, expect, test } from 'vitest'
import { randomInt, type EntryHash } from '../../mesh/base/index.ts'
import { loadLedger, recoveryDraft, signEntry, type EntryFields, type LedgerEntry } from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys, type RecoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admittedBy,
  createTestDevice,
  exchangeAll,
  foundMesh,
  joinMesh,
  ledgerPorts,
  recovered,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

// Who came by recovery words against whoever is removed by it, or removed it. Both have
// software of their own, and link what they like.

const random = createSeededRandom('words and removals')

/** The first device of a person. */
let first: TestMember
let second: TestMember
/** Of another person, and the door at which somebody comes back. */
let dave: TestMember
let words: RecoveryKeys

beforeEach(async () => {
  first = await foundMesh(await createTestDevice(random, 'first'), random)
  second = await addDevice(first, await createTestDevice(random, 'second'))
  dave = await addPerson(first, await createTestDevice(random, 'dave'), 'Dave', 'member')
  await exchangeAll([first, second, dave])
  words = recoveryKeys(createRecoverySecret(random))
  await first.ledger.append(recoveryDraft(words, first.ledger.mesh, first.person()))
  await exchangeAll([first, second, dave])
})

let at = 0
const write = (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[]): Promise<LedgerEntry> =>
  signEntry(by.key, fields, { parents, at: at++, mesh: first.ledger.mesh })

const named = (by: TestDevice, name: string): EntryFields => ({ type: 'rename', device: by.id, name })

/** Somebody with the words comes in at Dave's; what was written of it is the last head there. */
async function comesBack(name = 'back'): Promise<{ member: TestMember; admission: EntryHash }> {
  const device = await createTestDevice(random, name)
  const { hash } = await dave.ledger.append(await recovered(dave.ledger.mesh, words, device, first.person()))
  return { member: await joinMesh(device, dave), admission: hash }
}

/** The same for everybody, in whatever order and frames the rest comes. */
async function everywhere(base: readonly Uint8Array[], rest: readonly LedgerEntry[]): Promise<TestMember['ledger']> {
  const ledgers = []
  for (let order = 0; order < 6; order++) {
    const ledger = await loadLedger(ledgerPorts(await createTestDevice(random, 'reader')), first.ledger.mesh)
    await ledger.take(base)
    const left = [...rest]
    while (left.length > 0) {
      const entry = order === 0 ? left.shift() : left.splice(randomInt(random, left.length), 1)[0]
      if (entry !== undefined) await ledger.take([entry.bytes])
    }
    ledgers.push(ledger)
  }
  const [one, ...others] = ledgers
  if (one === undefined) throw new TypeError('no order')
  for (const other of others) expect(other.state()).toEqual(one.state())
  return one
}

const isIn = (ledger: TestMember['ledger'], device: TestDevice): boolean =>
  ledger.state().devices.get(device.id)?.removedAt === null

describe('a stolen device that was removed by one that came by the words', () => {
  test('does not undo that by a removal that saw it come and nothing since', async () => {
    const base = dave.ledger.missingFor([])
    const { member: back, admission } = await comesBack()
    const coming = dave.ledger.entry(admission) as LedgerEntry
    const removal = await write(back, { type: 'revoke', device: first.id }, [admission])
    const strike = await write(first, { type: 'revoke', device: back.id }, [admission])
    const ledger = await everywhere(base, [coming, removal, strike])
    expect([isIn(ledger, back), isIn(ledger, first)]).toEqual([true, false])
  })

  test('nor with devices that it made, known to the other or not', async () => {
    // one that everybody saw come, before anybody knew of the theft
    const known = await addDevice(first, await createTestDevice(random, 'known'))
    await exchangeAll([first, second, dave, known])
    const base = dave.ledger.missingFor([])
    const { member: back, admission } = await comesBack()
    const coming = dave.ledger.entry(admission) as LedgerEntry
    const removals = [await write(back, { type: 'revoke', device: first.id }, [admission])]
    removals.push(await write(back, { type: 'revoke', device: known.id }, [removals[0]?.hash as EntryHash]))
    const unknown = await createTestDevice(random, 'unknown')
    const draft = await admittedBy(first.id, first.ledger.mesh, unknown, first.person())
    const made = await write(first, draft, [admission])
    const strikes = [
      await write(known, { type: 'revoke', device: back.id }, [admission]),
      await write(unknown, { type: 'revoke', device: back.id }, [made.hash]),
      await write(first, { type: 'revoke', device: back.id }, [made.hash]),
    ]
    const hashes = strikes.map(({ hash }) => hash)
    const voices = [
      await write(known, named(known, 'a voice'), hashes),
      await write(unknown, named(unknown, 'another'), hashes),
      await write(first, named(first, 'a third'), hashes),
    ]
    const ledger = await everywhere(base, [coming, ...removals, made, ...strikes, ...voices])
    expect([back, first, known, unknown].map((device) => isIn(ledger, device))).toEqual([true, false, false, false])
  })

  test('nor when the one that came is put away later by somebody who knew what it had done', async () => {
    const base = dave.ledger.missingFor([])
    const { member: back, admission } = await comesBack()
    const coming = dave.ledger.entry(admission) as LedgerEntry
    const removal = await write(back, { type: 'revoke', device: first.id }, [admission])
    const strike = await write(first, { type: 'revoke', device: second.id }, [admission])
    const later = await write(second, { type: 'revoke', device: back.id }, [removal.hash])
    const ledger = await everywhere(base, [coming, removal, strike, later])
    expect([back, first, second].map((device) => isIn(ledger, device))).toEqual([false, false, true])
  })
})

describe('who found the words and was removed', () => {
  test('does not undo that once another device of the person went on from it', async () => {
    const base = dave.ledger.missingFor([])
    const { member: thief, admission } = await comesBack('thief')
    const coming = dave.ledger.entry(admission) as LedgerEntry
    const removal = await write(second, { type: 'revoke', device: thief.id }, [admission])
    const goesOn = await write(first, named(first, 'goes on'), [removal.hash])
    const strikes = [
      await write(thief, { type: 'revoke', device: second.id }, [admission]),
      await write(thief, { type: 'revoke', device: first.id }, [admission]),
    ]
    const ledger = await everywhere(base, [coming, removal, goesOn, ...strikes])
    expect([thief, first, second].map((device) => isIn(ledger, device))).toEqual([false, true, true])
  })

  test('nor by the same words shown once more, deeper and at a place that saw no removal', async () => {
    const base = dave.ledger.missingFor([])
    const heads = dave.ledger.heads()
    const { member: thief, admission } = await comesBack('thief')
    const coming = dave.ledger.entry(admission) as LedgerEntry
    // somebody honest who was away wrote much meanwhile
    const away: LedgerEntry[] = []
    for (let index = 0; index < 6; index++)
      away.push(
        await write(
          first,
          named(first, `n${String(index)}`),
          away.length === 0 ? heads : [away.at(-1)?.hash as EntryHash],
        ),
      )
    const removal = await write(second, { type: 'revoke', device: thief.id }, [admission])
    const draft = await recovered(dave.ledger.mesh, words, thief, first.person())
    const again = await write(thief, draft, [away.at(-1)?.hash as EntryHash])
    const goesOn = await write(first, named(first, 'goes on'), [removal.hash, away.at(-1)?.hash as EntryHash])
    const strike = await write(thief, { type: 'revoke', device: second.id }, [again.hash])
    const ledger = await everywhere(base, [coming, ...away, removal, again, goesOn, strike])
    expect([thief, first, second].map((device) => isIn(ledger, device))).toEqual([false, true, true])
  })
})
