import { afterEach, expect, test } from 'vitest'
import { openCommandLine, type CommandLine } from '../../kit/command-line.ts'
import { fakeHost, PHONE, SELF } from '../local/fake-host.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function commandLine(host = fakeHost()): Promise<CommandLine> {
  const run = await openCommandLine(host)
  ends.push(() => run.close())
  return run
}

test('people are listed with role and devices, one’s own first', async () => {
  const run = await commandLine()
  const { code, json } = await run('people', '--json')
  expect(code).toBe(0)
  expect(json).toMatchObject([
    { name: 'Ana', role: 'owner', own: true, devices: [SELF, expect.any(String)] },
    { name: 'Bob', role: 'member', own: false, devices: [PHONE] },
    { name: 'Studio server', role: 'helper-only' },
  ])
  expect(Object.keys((json as object[])[0] ?? {})).toEqual(['id', 'name', 'role', 'own', 'devices'])
  expect((await run('people')).out).toMatch(/^NAME +ROLE +DEVICES +ID\nAna +owner +2 +you /)
})

test('a role is given by name, and its meaning is said', async () => {
  const host = fakeHost()
  const run = await commandLine(host)
  expect((await run('role', 'bob', 'guest')).out).toBe(
    'Bob is guest now: asks and gets answers, and reads nothing that is shared.\n',
  )
  expect(host.mesh.people()[1]?.role).toBe('guest')
  expect((await run('role', 'Bob', 'Helper-Only', '--json')).json).toMatchObject({ name: 'Bob', role: 'helper-only' })
})

test('the last owner stays one, and an unknown person or role is refused', async () => {
  const run = await commandLine()
  expect(await run('role', 'Ana', 'guest', '--json')).toMatchObject({ code: 1, json: { error: { code: 'conflict' } } })
  expect(await run('role', 'Zoe', 'guest', '--json')).toMatchObject({
    code: 1,
    json: { error: { code: 'device-unknown', message: expect.stringContaining('plexus people') } },
  })
  const wrong = await run('role', 'Bob', 'king')
  expect([wrong.code, wrong.out]).toEqual([2, ''])
  expect(wrong.err).toContain('owner, member, helper-only, guest')
  expect((await run('role', 'Bob')).code).toBe(2)
})

test('removing takes a device or a person, whoever is named', async () => {
  const host = fakeHost()
  const run = await commandLine(host)
  const bob = host.mesh.people()[1]
  expect((await run('remove', 'phone', '--json')).json).toEqual({ removed: PHONE, name: 'phone', devices: 1 })
  expect((await run('remove', 'bob', '--json')).json).toEqual({ removed: bob?.id, name: 'Bob', devices: 1 })
  expect(host.removed).toEqual([PHONE, bob?.id])
})

test('the ledger is told in sentences, oldest first, with what a rule set aside', async () => {
  const host = fakeHost()
  const run = await commandLine(host)
  const { json, code } = await run('ledger', '--json')
  const lines = json as { hash: string; type: string; by: string; at: number; sentence: string; setAside?: string }[]
  expect(code).toBe(0)
  expect(lines).toHaveLength(host.mesh.ledger().length)
  expect(lines[0]).toMatchObject({ type: 'create', sentence: 'You began the mesh Home.' })
  expect(lines.find((line) => line.type === 'role')?.sentence).toBe('You made Bob a member.')
  expect(lines.filter((line) => line.setAside !== undefined).map((line) => line.setAside)).toEqual([
    'The role of its author does not allow it.',
    'A removal beats what the removed did at the same time.',
  ])
  const text = (await run('ledger')).out
  expect(text.split('\n').length).toBeGreaterThan(lines.length)
  expect(text).toContain('  set aside: The role of its author')
})

test('verifying ends with 0 when all is well', async () => {
  const run = await commandLine()
  const { code, json } = await run('ledger', 'verify', '--json')
  expect([code, json]).toEqual([0, { entries: 23, signatures: 46, faults: [] }])
  expect((await run('ledger', 'verify')).out).toBe('All is well: 46 signatures in 23 entries are good.\n')
})

test('verifying ends with 1 and names every fault when something is wrong', async () => {
  const run = await commandLine(fakeHost({ faults: ['Entry 9b02 is not signed by \u001b[2Jdesk.'] }))
  const { code, json } = await run('ledger', 'verify', '--json')
  expect([code, json]).toMatchObject([1, { faults: [expect.stringContaining('9b02')] }])
  const plain = await run('ledger', 'verify')
  expect([plain.code, plain.out.includes('\u001b')]).toEqual([1, false])
  expect(plain.out).toContain('✗ Entry 9b02')
  expect((await run('ledger', 'explode')).code).toBe(2)
})

test('an invitation carries the person and the role, and a role alone is refused', async () => {
  const host = fakeHost()
  const run = await commandLine(host)
  expect((await run('invite', '--person', 'Cleo', '--role', 'guest', '--json')).code).toBe(0)
  expect((await run('invite', '--json')).code).toBe(0)
  expect(host.invited).toMatchObject([{ person: 'Cleo', role: 'guest' }, { confirmation: 'in-advance' }])
  expect(host.invited[1]).not.toHaveProperty('role')
  expect((await run('invite', '--role', 'guest')).code).toBe(2)
  expect((await run('invite', '--person', 'Cleo', '--role', 'boss')).code).toBe(2)
})

test('invitations are listed without secrets and taken back by the beginning of their id', async () => {
  const host = fakeHost()
  const run = await commandLine(host)
  const { json } = await run('invitations', '--json')
  const lines = json as { id: string; state: string }[]
  expect(lines.map((line) => line.state)).toEqual(['open', 'used', 'revoked', 'expired'])
  const open = lines[0]?.id ?? ''
  expect((await run('uninvite', open.slice(0, 12), '--json')).json).toEqual({ revoked: open })
  expect(host.mesh.invitations()[0]?.state).toBe('revoked')
  expect(await run('uninvite', 'ffff0000', '--json')).toMatchObject({
    code: 1,
    json: { error: { code: 'invitation-unknown' } },
  })
  expect((await run('invitations')).out).toMatch(/^STATE +FOR +ROLE +MADE BY +UNTIL +ID\nrevoked +Cleo +guest/)
})
