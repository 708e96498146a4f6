import { describe, expect, it } from 'vitest'
import { removalOutlook } from '../../../app/parts/removal-outlook.ts'
import { knownAsText, knownFromText, NEWCOMER_MS, nextNewcomer, withKnown } from '../../../app/state/newcomers.ts'
import { removedBefore } from '../../../app/views/security/parts/key-reason.ts'
import { ledgerFile } from '../../../app/views/security/parts/ledger-file.ts'
import { filterLedger } from '../../../app/views/security/parts/ledger-filter.ts'
import { mayDo, RIGHTS, ROLES } from '../../../app/views/security/parts/rights.ts'
import { fakeDevice, fakeModel } from '../../kit/preview/fake-mesh.ts'
import { samplePeople } from '../../kit/sample-people.ts'

const NOW = Date.UTC(2026, 10, 21, 15, 0)
const self = fakeDevice('Amber Heron', { path: 'self', admittedAt: NOW - 10 * 86_400_000 })
const desktop = fakeDevice('Desktop', { admittedAt: NOW - 20 * 86_400_000 })
const tablet = fakeDevice('Tablet')
const gone = fakeDevice('Green Wren')
const sample = samplePeople({ self, second: desktop, guest: tablet, gone }, NOW)
const ledger = sample.ledger ?? []

describe('the ledger on the screen', () => {
  it('is newest first and whole until something is chosen', () => {
    expect(filterLedger(ledger, { kind: 'all' })).toEqual([...ledger].reverse())
  })

  it('has a kind for every type of entry', () => {
    const kinds = ['devices', 'people', 'invitations', 'keys', 'rooms'] as const
    const shown = kinds.flatMap((kind) => filterLedger(ledger, { kind }))
    expect(new Set(shown)).toEqual(new Set(ledger))
    expect(shown).toHaveLength(ledger.length)
  })

  it('shows what was set aside, and what the devices of one person signed', () => {
    expect(filterLedger(ledger, { kind: 'ignored' }).every((line) => !line.counts)).toBe(true)
    const [, bob] = sample.people
    const signed = filterLedger(ledger, { kind: 'all', person: bob })
    expect(signed.length).toBeGreaterThan(0)
    expect(signed.every((line) => line.by === tablet.id)).toBe(true)
  })

  it('is a file with every sentence and what the check found', () => {
    const check = { entries: 23, signatures: 46, checkedAt: NOW, faults: [] }
    const file = JSON.parse(ledgerFile(ledger, check, NOW)) as { check: unknown; entries: { sentence: string }[] }
    expect(file.check).toEqual(check)
    expect(file.entries).toHaveLength(ledger.length)
    expect(file.entries[0]).toMatchObject({ sentence: 'Desktop began the mesh Home.', counts: true })
    expect(JSON.stringify(file)).not.toMatch(/[\u2066-\u2069]/)
  })
})

describe('a change of keys', () => {
  const [mesh, person] = sample.keys ?? []
  it('names whom it shut out when a removal came right before it', () => {
    expect(mesh && removedBefore(mesh, ledger)).toBe('Green Wren')
  })
  it('names nobody when it was only time', () => {
    expect(person && removedBefore(person, ledger)).toBeUndefined()
    const later = { ...mesh, changedAt: NOW + 7 * 86_400_000 } as NonNullable<typeof mesh>
    expect(removedBefore(later, ledger)).toBeUndefined()
  })
  it('is not explained by a removal that does not count', () => {
    const without = ledger.map((line) => (line.type === 'revoke' ? { ...line, counts: false } : line))
    expect(mesh && removedBefore(mesh, without)).toBeUndefined()
  })
})

describe('what a removal does', () => {
  it('counts what stays there, the next epoch and whom to tell', () => {
    const asleep = fakeDevice('Phone', { state: 'asleep' })
    const holder = { ...tablet, models: [fakeModel(), fakeModel({ state: 'failed' })] }
    expect(removalOutlook([holder], [self, desktop, holder, asleep], 8)).toEqual({
      nextEpoch: 9,
      models: 1,
      modelBytes: fakeModel().sizeBytes,
      others: 2,
      othersNow: 1,
      isOlder: true,
    })
  })
  it('says where the removed one came before this device: it could undo what it did not see', () => {
    const older = { ...tablet, admittedAt: self.admittedAt - 1 }
    expect(removalOutlook([older], [self, older], 1).isOlder).toBe(true)
    expect(removalOutlook([self], [older, self], 1).isOlder).toBe(false)
  })
})

describe('a device that is new', () => {
  const newer = fakeDevice('Willow Finch', { admittedAt: NOW - 120_000, admittedBy: desktop.id })
  const facts = { devices: [self, desktop, newer], own: [self.id, desktop.id, newer.id], known: [], now: NOW }

  it('is asked about on every device of the person, but not where it was let in', () => {
    expect(nextNewcomer(facts)).toBe(newer)
    const here = { ...newer, admittedBy: self.id }
    expect(nextNewcomer({ ...facts, devices: [self, desktop, here] })).toBeUndefined()
  })
  it('is not one that was there before this device, or that belongs to somebody else', () => {
    expect(nextNewcomer({ ...facts, devices: [self, desktop] })).toBeUndefined()
    expect(nextNewcomer({ ...facts, own: [self.id] })).toBeUndefined()
    expect(nextNewcomer({ ...facts, devices: [] })).toBeUndefined()
  })
  it('is not asked about once somebody said that it is known, also after a reload', () => {
    const known = knownFromText(knownAsText(withKnown([], newer.id)))
    expect(nextNewcomer({ ...facts, known })).toBeUndefined()
    expect(knownFromText(undefined)).toEqual([])
  })
  it('is asked about for weeks, the newest first', () => {
    const newest = { ...fakeDevice('Ash Crow'), admittedAt: NOW - 60_000, admittedBy: desktop.id }
    const both = { ...facts, devices: [self, newer, newest], own: [...facts.own, newest.id] }
    expect(nextNewcomer(both)).toBe(newest)
    expect(nextNewcomer({ ...both, known: [newest.id] })).toBe(newer)
    expect(nextNewcomer({ ...both, now: NOW + NEWCOMER_MS - 90_000 })).toBe(newest)
    expect(nextNewcomer({ ...both, now: NOW + NEWCOMER_MS })).toBeUndefined()
  })
  it('leaves a bounded number of answers behind', () => {
    let known = withKnown([], newer.id)
    for (let count = 0; count < 400; count++) known = withKnown(known, fakeDevice(`device ${String(count)}`).id)
    expect(known).toHaveLength(256)
    expect(known).not.toContain(newer.id)
  })
})

describe('the table of roles', () => {
  it('gives an owner everything, a guest asking alone, and a helper no reading', () => {
    expect(RIGHTS.every((right) => mayDo('owner', right))).toBe(true)
    expect(RIGHTS.filter((right) => mayDo('guest', right))).toEqual(['ask'])
    expect(mayDo('helper-only', 'read')).toBe(false)
    expect(ROLES).toHaveLength(4)
  })
})
