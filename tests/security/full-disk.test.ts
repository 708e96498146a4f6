import { afterEach, expect, test } from 'vitest'
import { MeshError, SYNC_LATE_BYTES, type DeviceId } from '../../mesh/base/index.ts'
import { encode } from '../../mesh/wire/index.ts'
import { backdatedChain } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// What an author, or who brings its words, may make a device keep is counted before it is kept. A disk that is full
// keeps nothing, again and again.

let world: SyncWorld
afterEach(async () => {
  await world.stop()
})

const idOf = (peer: SyncPeer): DeviceId => peer.ports.signer.id

/** What comes is not kept while that is so. @returns what ends it */
function fill({ ports: { store } }: SyncPeer): () => void {
  const append = store.append.bind(store)
  store.append = () => Promise.reject(new MeshError('storage-full', 'There is no room.'))
  return () => {
    store.append = append
  }
}

test.each([
  ['stays on', false],
  ['starts again each time', true],
] as const)(
  'words that only a keeper has come late where the disk was full a few times before, of a device that %s',
  async (_name, isRestarted) => {
    world = await createSyncWorld('late disk', 3, { online: false })
    const [, keeper, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
    world.scopes.grant(idOf(keeper), ROOM.scope, ['store'])
    const epoch = await phone.ports.keyring.current(ROOM.scope, {})
    const WORDS = 4
    const { chain, envelopes } = await backdatedChain(
      Array.from({ length: WORDS }, () => ({ bytes: new Uint8Array(SYNC_LATE_BYTES / 8) })),
      { ports: phone.ports, document: ROOM, epoch, at: world.clock.now() },
    )
    world.scopes.revoke(idOf(phone), ROOM.scope)
    await world.scopes.rotate(ROOM.scope)
    const bring = async (alice: SyncPeer): Promise<number> => {
      const replica = await alice.documents.adopt(ROOM, {})
      await replica.receive(envelopes, idOf(keeper), {}).catch(() => undefined)
      alice.documents.release(replica)
      return replica.heldOf(chain)
    }
    const start = (): Promise<SyncPeer> | SyncPeer => (isRestarted ? world.restart(0) : (world.peers[0] as SyncPeer))
    for (let full = 0; full < 5; full++) {
      const alice = await start()
      const empty = fill(alice)
      expect(await bring(alice)).toBe(0)
      empty()
    }
    expect(await bring(await start())).toBe(WORDS)
    // and what is kept is counted, also after a restart
    const more = await backdatedChain(
      Array.from({ length: 8 }, () => ({ bytes: new Uint8Array(SYNC_LATE_BYTES / 8) })),
      { ports: phone.ports, document: ROOM, epoch, at: world.clock.now() },
    )
    const replica = await (await world.restart(0)).documents.adopt(ROOM, {})
    expect((await replica.receive(more.envelopes, idOf(keeper), {})).stored).toHaveLength(4)
  },
)

test('what could not be kept because the disk was full is not paid for', async () => {
  world = await createSyncWorld('budget disk', 2, { online: false })
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  for (const { ports } of world.peers) Object.assign(ports.writers, { personOf: (one: DeviceId) => one })
  const epoch = await bob.ports.keyring.current(ROOM.scope, {})
  const { envelopes } = await backdatedChain(
    Array.from({ length: 4 }, () => ({ bytes: new Uint8Array(50_000) })),
    { ports: bob.ports, document: ROOM, epoch, at: world.clock.now() },
  )
  await alice.store.put('sync/budgets', encode([[idOf(bob), 500_000, world.clock.now()]]))
  const here = await world.restart(0)
  const replica = await here.documents.adopt(ROOM, {})
  const empty = fill(here)
  for (let count = 0; count < 4; count++)
    await expect(replica.receive(envelopes, idOf(bob), {})).rejects.toMatchObject({ code: 'storage-full' })
  empty()
  const { delayMs, stored } = await replica.receive(envelopes, idOf(bob), {})
  expect({ delayMs, stored: stored.length }).toEqual({ delayMs: 0, stored: 4 })
})
