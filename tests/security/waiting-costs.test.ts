import { expect, test } from 'vitest'
import type { DeviceId } from '../../mesh/base/index.ts'
import { backdatedChain } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, type SyncPeer } from '../kit/sync-world.ts'

// A member sends chains without their beginnings: they wait, and cost its budget nothing. Then it sends one beginning.

const LENGTH = 100

/** How often rights are asked for while one small frame lets a whole chain in, beside so much of other chains that waits. */
async function questionsOf(others: number, authors: number): Promise<number> {
  const world = await createSyncWorld(`waiting ${String(others)} ${String(authors)}`, 2 + others + authors)
  try {
    const [alice, mallory, ...more] = world.peers as [SyncPeer, SyncPeer, ...SyncPeer[]]
    world.network.partition(...world.peers.map((peer) => [peer.ports.signer.id]))
    const { writers } = alice.ports
    let questions = 0
    const mayWrite = writers.mayWrite.bind(writers)
    Object.assign(writers, {
      mayWrite: (...given: Parameters<typeof mayWrite>) => {
        questions += 1
        return mayWrite(...given)
      },
      personOf: (device: DeviceId) => {
        questions += 1
        return device
      },
    })
    const epoch = await mallory.ports.keyring.current(ROOM.scope, {})
    const at = world.clock.now()
    const replica = await alice.documents.adopt(ROOM, {})
    const chainOf = async ({ ports }: SyncPeer, length: number) => {
      const steps = Array.from({ length }, () => ({ bytes: Uint8Array.of(1) }))
      return (await backdatedChain(steps, { ports, document: ROOM, epoch, at })).envelopes
    }
    const via = mallory.ports.signer.id
    for (const peer of more.slice(others)) await replica.receive(await chainOf(peer, 1), via, {})
    for (const peer of more.slice(0, others)) await replica.receive((await chainOf(peer, LENGTH)).slice(1), via, {})
    const chain = await chainOf(mallory, LENGTH)
    expect(await replica.receive(chain.slice(1), via, {})).toMatchObject({ waiting: LENGTH - 1 })
    questions = 0
    const { stored } = await replica.receive(chain.slice(0, 1), via, {})
    expect(stored).toHaveLength(LENGTH)
    return questions
  } finally {
    await world.stop()
  }
}

test('what a small frame lets in costs nothing for all else that waits, nor for how many wrote', async () => {
  const alone = await questionsOf(0, 0)
  const crowded = await questionsOf(2, 20)
  expect(crowded).toBeLessThan(alone + LENGTH)
})
