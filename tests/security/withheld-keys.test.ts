import { afterEach, expect, test } from 'vitest'
import { systemRandom } from '../../helper/ports/random.ts'
import type { RoomId } from '../../mesh/base/index.ts'
import { keyCheck, sealKeys } from '../../mesh/identity/epoch-boxes.ts'
import { roomScope } from '../../mesh/identity/index.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { startSyncAttacker, type SyncAttacker } from '../kit/sync-attacker.ts'
import { until } from '../kit/wait.ts'

// A member with software of its own makes the key of a room and gives one of the others a box that does not open.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

const textsOf = (peer: TestPeer, room: RoomId): string[] =>
  (peer.mesh.rooms.rooms.get(room)?.items ?? []).flatMap((item) => (item.kind === 'message' ? [item.text] : []))

async function enter(peer: TestPeer, room: RoomId): Promise<void> {
  await until(() => peer.mesh.rooms.rooms.list().some(({ id }) => id === room), { what: 'the room', timeoutMs: 30_000 })
  await peer.mesh.rooms.rooms.open(room)
}

async function scene(): Promise<{ alice: TestPeer; bob: TestPeer; mallory: SyncAttacker; room: RoomId }> {
  const alice = await startPeer('Alice')
  const bob = await startPeer('Bob')
  running.push(bob, alice)
  await join(bob, alice, 'Bob')
  const mallory = await startSyncAttacker(alice, 'member')
  running.unshift(mallory)
  await alice.untilOnline(bob)
  const people = alice.mesh.rooms.people().map(({ id }) => id)
  const room = await alice.mesh.rooms.rooms.create({ name: 'Cabin', people, history: 'all' })
  await alice.mesh.rooms.rooms.say(room, 'Who has the key?')
  await enter(bob, room)
  await until(() => textsOf(bob, room).length === 1, { what: 'the first message', timeoutMs: 30_000 })
  return { alice, bob, mallory, room }
}

/** A key of the room that opens for everybody but one. */
async function withholds({ mallory, room }: Awaited<ReturnType<typeof scene>>, from: TestPeer): Promise<string> {
  const ledger = await mallory.ledger()
  const scope = roomScope(room)
  const secret = systemRandom.bytes(32)
  const generation = (ledger.state().epochs.get(scope)?.[0]?.generation ?? 0) + 1
  const sealed = await Promise.all(
    [...ledger.state().devices.values()].map(async ({ id: to, sealingKey }) => {
      const box = await sealKeys(sealingKey, [secret], { mesh: ledger.mesh, scope, to, what: generation })
      return { to, box: to === from.mesh.self ? systemRandom.bytes(box.byteLength) : box }
    }),
  )
  const entry = await ledger.append({ type: 'rotate', scope, generation, check: keyCheck(secret), sealed })
  await mallory.tell(entry)
  return entry.hash
}

test('a key that was withheld by a box that does not open comes from another holder at once, and stays', async () => {
  const stage = await scene()
  const { alice, bob, room } = stage
  const epoch = await withholds(stage, bob)
  await until(() => bob.mesh.ledger().some(({ hash }) => hash === epoch), {
    what: 'the key to be told',
    timeoutMs: 30_000,
  })
  const entriesBefore = alice.mesh.ledger().length
  await alice.mesh.rooms.rooms.say(room, 'Under the stone.')
  await until(() => textsOf(bob, room).includes('Under the stone.'), {
    what: 'the message to be read',
    timeoutMs: 30_000,
  })
  // alone, with what is on its disk
  await until(() => bob.mesh.ledger().some(({ type, by }) => type === 'share' && by === bob.mesh.self), { what: 'the key to be kept' }) // prettier-ignore
  await Promise.all([bob.stop(), alice.stop()])
  running.splice(1)
  const again = await startPeer('Bob', { store: bob.store })
  running.push(again)
  await enter(again, room)
  expect(textsOf(again, room)).toEqual(['Who has the key?', 'Under the stone.'])
  // one entry for it, by the one who kept it
  expect(again.mesh.ledger().length - entriesBefore).toBeLessThanOrEqual(1)
}, 120_000)
