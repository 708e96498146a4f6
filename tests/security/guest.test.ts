import { afterEach, expect, test } from 'vitest'
import { createGuests, type Guests } from '../../helper/guests/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { silentLogger, type InvitationId } from '../../mesh/base/index.ts'
import { echoEngine } from '../kit/echo-engine.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// Whoever is on an open network may ask for a pass: what one is worth, with and without a person's word.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

async function scene(): Promise<{ alice: TestPeer; guest: TestPeer; guests: Guests }> {
  const alice = await startPeer('Alice desktop', { engines: echoEngine(2) })
  const guest = await startPeer('Grey Wren')
  const guests = createGuests({
    mesh: alice.mesh,
    store: alice.store,
    clock: systemClock,
    log: silentLogger,
    areWanted: () => true,
  })
  running.push(guests, guest, alice)
  return { alice, guest, guests }
}

const { signal } = new AbortController()
const question = { messages: [{ role: 'user' as const, content: 'n' }], sampling: {} }

async function answerOf(peer: TestPeer): Promise<string> {
  let text = ''
  for await (const event of peer.mesh.ask(question, { signal })) if (event.type === 'text') text += event.text
  return text
}

/** Comes with a pass; resolves when a person has said yes. */
async function come({ alice, guest, guests }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  const { fragment } = await guests.pass({ signal })
  const joined = guest.mesh.join(fragment)
  const { invitation } = await until(() => alice.mesh.pendingJoins()[0], { what: 'the guest to wait' })
  await alice.mesh.settleJoin(invitation, true)
  await joined
  await guest.untilOnline(alice)
}

function holds(peer: TestPeer, word: string): boolean {
  const { records, logs } = peer.store.data
  const all = [...records.values(), ...[...logs.values()].flat().map((entry) => entry.bytes)]
  return all.some((bytes) => Buffer.from(bytes).includes(word))
}

test('a pass alone opens nothing: until a person says yes its holder is a stranger, and a no is for good', async () => {
  const { alice, guest, guests } = await scene()
  const { fragment } = await guests.pass({ signal })
  const joined = guest.mesh.join(fragment)
  joined.catch(() => undefined)
  const pending = await until(() => alice.mesh.pendingJoins()[0], { what: 'the guest to wait' })
  expect(pending).toMatchObject({ role: 'guest', person: 'Guest', device: guest.mesh.self })
  expect([alice.sees(guest), guest.mesh.standing(), guest.mesh.models()]).toEqual([undefined, 'alone', []])
  await alice.mesh.settleJoin(pending.invitation, false)
  await expect(joined).rejects.toMatchObject({ code: 'refused' })
  await expect(guest.mesh.join(fragment)).rejects.toMatchObject({ code: 'invitation-used' })
  expect(alice.mesh.devices()).toHaveLength(1)
})

test('a guest asks and is answered, and reads, invites, names, removes and writes nothing', async () => {
  const all = await scene()
  const { alice, guest } = all
  const { rooms } = alice.mesh.rooms
  const room = await rooms.create({ name: 'Ours', people: [], history: 'all' })
  await rooms.say(room, 'Strictly ours: heliotrope.')
  await come(all)
  await until(() => guest.mesh.models().length > 0, { what: 'the model of the helper' })
  expect(await answerOf(guest)).toBe('n0 n1 ')

  const generation = alice.mesh.keys().find(({ scope }) => scope === 'mesh')?.generation
  const own = guest.mesh.people().find(({ own: isOwn }) => isOwn)
  const owner = guest.mesh.people().find(({ own: isOwn }) => !isOwn)
  expect([own?.role, owner?.role]).toEqual(['guest', 'owner'])
  for (const [what, attempt] of [
    ['invite a device of its own', () => guest.mesh.invite({ confirmation: 'in-advance' })],
    ['invite a person', () => guest.mesh.invite({ confirmation: 'in-advance', person: 'Mallory' })],
    ['rename the helper', () => guest.mesh.rename(alice.mesh.self, 'Mine')],
    ['remove the helper', () => guest.mesh.remove(alice.mesh.self)],
    ['raise itself', () => guest.mesh.setRole(own?.id ?? '', 'owner')],
    ['lower the owner', () => guest.mesh.setRole(owner?.id ?? '', 'guest')],
    ['make a room', () => guest.mesh.rooms.rooms.create({ name: 'Mine', people: [], history: 'all' })],
    ['say something in a room', () => guest.mesh.rooms.rooms.say(room, 'Hello')],
    ['take an invitation back', () => guest.mesh.revokeInvitation('x' as InvitationId)],
  ] as const) {
    await expect(attempt(), what).rejects.toThrow()
  }
  expect(guest.mesh.rooms.rooms.list()).toEqual([])
  expect(alice.mesh.rooms.people().map(({ name }) => name)).not.toContain('Guest')
  expect(holds(guest, 'heliotrope')).toBe(false)
  expect(alice.mesh.people().find(({ own: isOwn }) => isOwn)?.role).toBe('owner')

  // nobody has to change a key because a guest goes: it held none
  await alice.mesh.removePerson(alice.mesh.people().find(({ own: isOwn }) => !isOwn)?.id ?? '')
  await until(() => guest.mesh.standing() === 'removed', { what: 'the removal' })
  await expect(answerOf(guest)).rejects.toThrow()
  expect(alice.mesh.keys().find(({ scope }) => scope === 'mesh')?.generation).toBe(generation)
})
