import { expect, test } from 'vitest'
import { createBeacon, type Answer, type Multicast, type Question } from '../../helper/discovery/index.ts'
import { boundPorts } from '../../helper/ports/node-peer.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import type { Discovery } from '../../mesh/mesh.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// Real peers on loopback; the air between their beacons is a pair of lists.

function createAir() {
  const asked = new Set<(questions: readonly Question[], from: string) => void>()
  const said = new Set<(answers: readonly Answer[], from: string) => void>()
  const multicast: Pick<Multicast, 'ask' | 'say' | 'onQuestions' | 'onAnswers'> = {
    ask(questions) {
      for (const listener of asked) listener(questions, '127.0.0.1')
    },
    say(answers) {
      for (const listener of said) listener(answers, '127.0.0.1')
    },
    onQuestions(listener) {
      asked.add(listener)
      return () => asked.delete(listener)
    },
    onAnswers(listener) {
      said.add(listener)
      return () => said.delete(listener)
    },
  }
  const discovery: Discovery = (host) =>
    createBeacon({
      ...host,
      multicast,
      clock: systemClock,
      random: systemRandom,
      port: () => boundPorts(host.addresses()).tcp,
    })
  return discovery
}

// a Node peer that dialled WebRTC here ended now and then: the native library does not bear a dial that is given up
test('devices of one mesh find each other by themselves after both moved, and a stranger is not dialled', async () => {
  const discovery = createAir()
  const start = (name: string, from?: TestPeer): Promise<TestPeer> =>
    startPeer(name, { discovery, ...(from === undefined ? {} : { store: from.store }) })
  const [alice, bob] = [await startPeer('Alice'), await startPeer('Bob')]
  await join(bob, alice)
  await alice.untilOnline(bob)
  // they recognise each other by a key that both hold
  await until(() => bob.mesh.ledger().some(({ type }) => type === 'share'), {
    what: 'Bob to be given the key',
  })
  await alice.mesh.stop()
  await bob.mesh.stop()
  // every port is another one now: what each knows of the other leads nowhere
  const again = [await start('Alice', alice), await start('Bob', bob)] as const
  const mallory = await start('Mallory')
  try {
    expect((await again[0].untilOnline(again[1])).path).toBe('direct')
    await again[1].untilOnline(again[0])
    expect(mallory.mesh.devices()).toHaveLength(1)
    expect(again[0].mesh.devices()).toHaveLength(2)
  } finally {
    for (const peer of [...again, mallory]) await peer.stop()
  }
})

/** Keeps what a peer gives its discovery, under the peer's name. */
function createKeeper() {
  const hosts = new Map<string, Parameters<Discovery>[0]>()
  const start = (name: string): Promise<TestPeer> =>
    startPeer(name, {
      discovery(host) {
        hosts.set(name, host)
        return { ask: () => undefined, stop: () => undefined }
      },
    })
  const tagsOf = (peer: TestPeer): readonly Uint8Array[] => hosts.get(peer.name)?.meshTags() ?? []
  return { start, tagsOf }
}

test('devices find each other although the key changed while one of them was away', async () => {
  const discovery = createAir()
  const { start, tagsOf } = createKeeper()
  const [alice, bob, carol] = [await start('Alice'), await start('Bob'), await start('Carol')]
  await join(bob, alice)
  await join(carol, alice, 'Carol')
  await alice.untilOnline(bob)
  const key = (of: TestPeer): string => Buffer.from(tagsOf(of)[0] ?? []).toString('hex')
  await until(() => [bob, carol].every((peer) => key(peer) !== '' && key(peer) === key(alice)), { what: 'one key' })
  await bob.mesh.stop()
  const before = alice.mesh.keys().find(({ scope }) => scope === 'mesh')?.generation ?? 0
  await alice.mesh.remove(carol.mesh.self)
  await until(() => key(alice) !== key(bob), { what: 'another key' })
  expect(tagsOf(alice)).toHaveLength(2)
  await alice.mesh.stop()
  const again = [
    await startPeer('Alice', { discovery, store: alice.store }),
    await startPeer('Bob', { discovery, store: bob.store }),
  ] as const
  try {
    await again[1].untilOnline(again[0])
    await until(() => again[1].mesh.keys().some(({ scope, generation }) => scope === 'mesh' && generation > before), {
      what: 'the key that was made meanwhile',
    })
  } finally {
    for (const peer of [...again, carol]) await peer.stop()
  }
})

test('a guest, who reads the ledger and not the mesh, holds nothing to recognise it by', async () => {
  const { start, tagsOf } = createKeeper()
  const [alice, guest] = [await start('Alice'), await start('Guest')]
  try {
    await until(() => [alice, guest].every((peer) => tagsOf(peer).length > 0), { what: 'keys of their own meshes' })
    const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Guest', role: 'guest' })
    await guest.mesh.join(url)
    await alice.untilOnline(guest)
    expect(guest.mesh.ledger().length).toBeGreaterThan(0)
    expect([tagsOf(alice).length, tagsOf(guest).length]).toEqual([1, 0])
  } finally {
    await guest.stop()
    await alice.stop()
  }
})
