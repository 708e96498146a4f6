import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import {
  HEARSAY_DIAL_EVERY_MS,
  HEARSAY_DIALS_BURST,
  HEARSAY_PAUSE_MAX_MS,
  type DeviceId,
  type EntryHash,
  type PersonId,
} from '../../mesh/base/index.ts'
import {
  loadDeviceKey,
  loadSealingKey,
  parseInvitation,
  signCertificate,
  signEntry,
} from '../../mesh/identity/index.ts'
import { createVirtualClock, type VirtualClock } from '../kit/clock.ts'
import { startDialTrap, type DialTrap } from '../kit/dial-trap.ts'
import { admittedBy } from '../kit/ledger.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { BOAST, startRolePeer, type RawStanding, type RolePeer } from '../kit/role-peer.ts'
import { until } from '../kit/wait.ts'

// A device that makes others connect to whatever it names: real ports count who comes.

const running: { stop(): Promise<unknown> }[] = []
const keep = <One extends { stop(): Promise<unknown> }>(one: One): One => {
  running.unshift(one)
  return one
}
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

/** Alice in virtual time, so that minutes of an attack pass at once; her network is real. */
async function startAlice(): Promise<{ alice: TestPeer; clock: VirtualClock }> {
  const clock = createVirtualClock(Date.now())
  const alice = await startPeer('Alice', { clock })
  running.unshift({
    async stop() {
      const stopped = alice.stop()
      await clock.advanceAsync(1_000)
      await stopped
    },
  })
  return { alice, clock }
}

/** Lets virtual time pass while the device keeps its link: what Alice began in a step is over at its end. */
async function pass(clock: VirtualClock, peers: readonly RolePeer[], durationMs: number, stepMs = 250): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs) {
    await clock.advanceAsync(stepMs)
    for (const peer of peers) if (peer.control !== undefined) await peer.settled()
  }
}

/** Devices of the owner's person that exist in the ledger only: nobody ever reached them. */
async function makeGhosts(alice: TestPeer, own: RolePeer, count: number): Promise<DeviceId[]> {
  const { mesh } = parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
  const person = alice.mesh.people().find((one) => one.own)?.id as PersonId
  const ghosts: DeviceId[] = []
  for (let made = 0; made < count; made++) {
    const store = createMemoryStore()
    const key = await loadDeviceKey(store, systemRandom)
    const { publicKey: sealingKey } = await loadSealingKey(store, systemRandom)
    const said = { sealingKey, kind: 'helper', name: `Ghost ${String(made)}`, at: Date.now() } as const
    const certificate = await signCertificate(key, said)
    const parents = alice.mesh.ledger().slice(-1)
    const place = { parents: parents.map(({ hash }) => hash as EntryHash), at: Date.now(), mesh }
    const fields = await admittedBy(own.raw.id, mesh, { key, certificate }, person)
    const entry = await signEntry(own.raw.key, fields, place)
    await own.send({ type: 'entries', entries: [entry.bytes] })
    await until(() => alice.mesh.devices().some((device) => device.id === key.id), { what: 'the ghost to be admitted' })
    ghosts.push(key.id)
  }
  return ghosts
}

const connectionsAt = (traps: readonly DialTrap[]): number => traps.reduce((sum, trap) => sum + trap.connections, 0)
const allowedWithin = (durationMs: number): number =>
  HEARSAY_DIALS_BURST + Math.ceil(durationMs / HEARSAY_DIAL_EVERY_MS)

/** Twelve devices that are away, each said to be at twelve ports, again and again, in frames as fast as they go. */
async function attackFor(durationMs: number, standings: readonly RawStanding[]): Promise<number> {
  const { alice, clock } = await startAlice()
  const own = keep(await startRolePeer(alice, 'own'))
  const ghosts = await makeGhosts(alice, own, 12)
  const traps: DialTrap[] = []
  for (let made = 0; made < 12; made++) traps.push(keep(await startDialTrap()))
  const addresses = traps.map((trap) => trap.address)
  const attackers: RolePeer[] = []
  for (const standing of standings) {
    const capability = { ...BOAST, addresses }
    attackers.push(keep(await startRolePeer(alice, standing, { hello: { capability } })))
  }
  for (let passedMs = 0; passedMs < durationMs; passedMs += 250) {
    for (const attacker of attackers) {
      await attacker.send({ type: 'neighbours', neighbours: ghosts.map((id) => ({ id, addresses })) })
      await attacker.send({ type: 'neighbours', neighbours: [] })
      await attacker.send({ type: 'capability', capability: { ...BOAST, addresses: [...addresses].reverse() } })
      await attacker.send({ type: 'neighbours', neighbours: ghosts.map((id) => ({ id, addresses })) })
    }
    await pass(clock, [own, ...attackers], 250)
  }
  return connectionsAt(traps)
}

test('a guest makes nobody dial anything, whatever it names', async () => {
  expect(await attackFor(5_000, ['guest'])).toBe(0)
}, 60_000)

test.each(['helper-only', 'member', 'own'] as const)(
  'a device that is %s causes few dials, whatever it names',
  async (standing) => {
    const dials = await attackFor(5_000, [standing])
    expect(dials).toBeLessThanOrEqual(allowedWithin(5_000))
    expect(dials).toBeGreaterThan(0)
  },
  60_000,
)

test('over a minute the dials stay few too', async () => {
  expect(await attackFor(60_000, ['member'])).toBeLessThanOrEqual(allowedWithin(60_000))
}, 120_000)

test('a told address that leads nowhere is dialled ever more seldom, and the device is found when it comes by itself', async () => {
  const { alice, clock } = await startAlice()
  const trap = keep(await startDialTrap())
  const peer = keep(
    await startRolePeer(alice, 'member', { hello: { capability: { ...BOAST, addresses: [trap.address] } } }),
  )
  await peer.connection.close()
  for (let passedMs = 0; passedMs < HEARSAY_PAUSE_MAX_MS; passedMs += 1_000) await clock.advanceAsync(1_000)
  expect(trap.connections).toBeGreaterThan(1)
  expect(trap.connections).toBeLessThanOrEqual(10)
  const again = await peer.raw.hello(await peer.raw.dial(alice), {
    mesh: parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url).mesh,
  })
  expect(again.told).toMatchObject({ type: 'hello' })
}, 60_000)

test('what a member told counts no more when it is lowered to a guest', async () => {
  const { alice, clock } = await startAlice()
  const trap = keep(await startDialTrap())
  const hello = { capability: { ...BOAST, addresses: [trap.address] } }
  const peer = keep(await startRolePeer(alice, 'member', { hello }))
  await peer.settled()
  await alice.mesh.setRole(peer.person(alice), 'guest')
  await peer.connection.close()
  for (let passedMs = 0; passedMs < 20_000; passedMs += 500) await clock.advanceAsync(500)
  expect(trap.connections).toBe(0)
}, 60_000)

test('what a member hinted counts no more when it is lowered to a guest', async () => {
  const { alice, clock } = await startAlice()
  const own = keep(await startRolePeer(alice, 'own'))
  const ghosts = await makeGhosts(alice, own, 1)
  const trap = keep(await startDialTrap())
  const neighbours = ghosts.map((id) => ({ id, addresses: [trap.address] }))
  const peer = keep(await startRolePeer(alice, 'member', { hello: { neighbours } }))
  await pass(clock, [own, peer], 10_000)
  const before = trap.connections
  expect(before).toBeGreaterThan(0)
  await alice.mesh.setRole(peer.person(alice), 'guest')
  await pass(clock, [own, peer], 60_000, 500)
  expect(trap.connections).toBe(before)
}, 60_000)

test('a guest neither has its addresses kept nor makes anybody try again where others are', async () => {
  const { alice, clock } = await startAlice()
  const [trap, named] = [keep(await startDialTrap()), keep(await startDialTrap())]
  const hello = { capability: { ...BOAST, addresses: [named.address] } }
  const guest = keep(await startRolePeer(alice, 'guest', { hello }))
  const away = keep(
    await startRolePeer(alice, 'own', { hello: { capability: { ...BOAST, addresses: [trap.address] } } }),
  )
  await away.connection.close()
  await pass(clock, [guest], 60_000, 500)
  const before = trap.connections
  for (let round = 0; round < 20; round++) {
    await guest.send({ type: 'neighbours', neighbours: [{ id: away.id, addresses: [trap.address] }] })
    await guest.send({ type: 'neighbours', neighbours: [] })
    await pass(clock, [guest], 1_000)
  }
  expect(trap.connections - before).toBeLessThanOrEqual(1)
  await guest.connection.close()
  await pass(clock, [], 1_000)
  const kept = (await alice.store.list('peer/')).map(({ value }) => Buffer.from(value).toString('latin1')).join('\n')
  expect([kept.includes(trap.address), kept.includes(named.address)]).toEqual([true, false])
}, 60_000)

test('honest devices find each other by a hint at once, while a member floods with hints', async () => {
  const alice = keep(await startPeer('Alice'))
  const own = keep(await startRolePeer(alice, 'own'))
  const ghosts = await makeGhosts(alice, own, 6)
  const mallory = keep(await startRolePeer(alice, 'member'))
  const trap = keep(await startDialTrap())
  const addresses = [trap.address]
  for (let round = 0; round < 50; round++) {
    await mallory.send({ type: 'neighbours', neighbours: ghosts.map((id) => ({ id, addresses })) })
    await mallory.send({ type: 'neighbours', neighbours: [] })
  }
  const [bob, carol] = [keep(await startPeer('Bob')), keep(await startPeer('Carol'))]
  await join(bob, alice)
  await join(carol, alice)
  const startedAt = systemClock.monotonic()
  await bob.untilOnline(carol)
  await carol.untilOnline(bob)
  expect(systemClock.monotonic() - startedAt).toBeLessThan(8_000)
}, 60_000)
