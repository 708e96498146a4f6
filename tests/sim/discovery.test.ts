import { expect, test } from 'vitest'
import { createBeacon, type Answer, type Multicast, type Question } from '../../helper/discovery/index.ts'
import { boundPorts } from '../../helper/ports/node-peer.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import type { Discovery } from '../../mesh/mesh.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'

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
