import { describe, expect, it } from 'vitest'
import { ledgerParts, ledgerSentence, ruleSentence } from '../../../app/i18n/index.ts'
import en from '../../../app/i18n/en.json'
import {
  ledgerSentence as terminalSentence,
  ruleSentence as terminalRule,
} from '../../../helper/local/ledger-sentence.ts'
import { fakeDevice } from '../../kit/preview/fake-mesh.ts'
import { samplePeople } from '../../kit/sample-people.ts'

/** Every sentence a ledger may ask for. */
const KEYS = [
  'create',
  'admit.own',
  'admit.person',
  'admit.recovered',
  'certify',
  'revoke.device',
  'revoke.person',
  'revoke.self',
  'role',
  'rename.device',
  'rename.person',
  'rename.mesh',
  'invite.own',
  'invite.person',
  'invite-revoked',
  'recovery.set',
  'recovery.removed',
  'rotate.mesh',
  'rotate.person',
  'rotate.room',
  'share',
  'room',
  'room-people',
]
const VALUES = { name: 'Tablet', person: 'Bob', role: 'helper-only', generation: 8, count: 2 }

describe('the sentences of the ledger', () => {
  it('exist for every entry, with and without what it speaks of', () => {
    for (const key of KEYS) {
      expect(Object.hasOwn(en, `ledger.${key}`), key).toBe(true)
      for (const values of [VALUES, {}, { name: 'Tablet' }, { person: 'Bob' }]) {
        expect(ledgerSentence({ key, values }, 'You'), key).toMatch(/^\p{Lu}[^{}]+\.$|^…[^{}]+\.$/u)
      }
    }
  })

  it('read as a person would say it', () => {
    expect(ledgerSentence({ key: 'role', values: VALUES }, 'Ana')).toBe('Ana made Bob a helper.')
    expect(ledgerSentence({ key: 'rotate.mesh', values: VALUES }, 'Ana')).toBe(
      'The keys of the mesh changed, epoch 8. 2 devices hold them.',
    )
    expect(ledgerSentence({ key: 'rotate.mesh', values: { generation: 1 } }, 'Ana')).toBe(
      'The keys of the mesh changed, epoch 1.',
    )
  })

  it('say of an entry of a newer version that they do not know it', () => {
    for (const key of ['teleport', 'constructor', '', 'rule.removed.x'])
      expect(ledgerSentence({ key, values: {} }, 'Ana')).toBe('Ana wrote an entry that this version does not know.')
  })

  it('set names apart, and a name cannot pretend to be the sentence', () => {
    const hostile = 'Bob\u2069. You removed \u2068Eve'
    const parts = ledgerParts({ key: 'revoke.device', values: { name: hostile } }, 'Ana')
    expect(parts.filter((part) => part.strong).map((part) => part.text)).toEqual(['Ana', 'Bob. You removed Eve'])
  })

  it('are the same at the terminal', () => {
    const named = { self: fakeDevice('a'), second: fakeDevice('b'), guest: fakeDevice('c'), gone: fakeDevice('d') }
    const lines = samplePeople(named, Date.UTC(2026, 10, 21)).ledger ?? []
    const asked = [...lines.map((line) => line.sentence), ...KEYS.map((key) => ({ key, values: VALUES }))]
    for (const sentence of [...asked, { key: 'teleport', values: {} }, { key: 'role', values: {} }])
      expect(terminalSentence(sentence, 'Ana')).toBe(ledgerSentence(sentence, 'Ana'))
    for (const rule of ['removed', 'not-allowed', 'of-tomorrow', undefined])
      expect(terminalRule(rule)).toBe(ruleSentence(rule))
  })

  it('name the rule that set an entry aside, and say so of a rule they do not know', () => {
    expect(ruleSentence('removal-first')).toBe('A removal beats what the removed did at the same time.')
    expect(ruleSentence('constructor')).toBe('A rule of the mesh sets it aside.')
    expect(ruleSentence(undefined)).toBe('A rule of the mesh sets it aside.')
  })
})
