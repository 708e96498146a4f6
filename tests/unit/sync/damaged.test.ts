import { describe, expect, test } from 'vitest'
import { documentKey, type Document } from '../../../mesh/sync/index.ts'
import { createProgress } from '../../../mesh/sync/serving.ts'
import { createSyncWorld, ROOM, stateOf, type SyncPeer, type SyncWorld } from '../../kit/sync-world.ts'

// A stored entry that is damaged costs what is in it, until another device gives it back.

const bytes = (value: number): Uint8Array => new Uint8Array(20).fill(value)
const key = documentKey(ROOM)

/** What of a document is shown, by the value its entries were made of. */
const shown = (document: Document): number[] =>
  [...document.operations().values()].map(({ bytes: [value = 0] }) => value).sort((a, b) => a - b)

const write = async (document: Document, ...values: number[]): Promise<string[]> => {
  const ids: string[] = []
  for (const value of values) ids.push(...(await document.write([{ bytes: bytes(value) }])))
  return ids
}

/** As the sealed store tells an entry that does not open. */
function damage({ store }: SyncPeer, ...positions: readonly number[]): void {
  const name = [...store.data.logs.keys()].find((one) => one.startsWith(`sync/document/${key}/log-`)) ?? ''
  for (const position of positions) {
    const entry = store.data.logs.get(name)?.[position - 1]
    if (entry === undefined) throw new TypeError(`no entry ${String(position)}`)
    Object.assign(entry, { bytes: undefined })
  }
}

async function worldOf(count: number, work: (world: SyncWorld) => Promise<void>): Promise<void> {
  const world = await createSyncWorld(`damaged ${expect.getState().currentTestName ?? ''}`, count)
  try {
    await work(world)
    const cut = world.peers.flatMap(({ documents }) => documents.quarantined())
    expect(cut, 'nobody is blamed for damage').toEqual([])
  } finally {
    await world.stop()
  }
}

/** Alice and Bob have the same six; Alice's device is off. */
async function sixOfTwo(world: SyncWorld): Promise<void> {
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  await write(await alice.open(ROOM), 1, 2, 3, 4, 5, 6)
  await world.calm()
  expect(shown(await bob.open(ROOM))).toEqual([1, 2, 3, 4, 5, 6])
}

describe('a damaged entry of a document’s log', () => {
  test.each([1, 3, 6])('costs what is in it alone: number %i', (position) =>
    worldOf(2, async (world) => {
      await sixOfTwo(world)
      damage(world.peers[0] as SyncPeer, position)
      const alice = await world.restart(0, { online: false })
      const document = await alice.open(ROOM)
      const rest = [1, 2, 3, 4, 5, 6].filter((value) => value !== position)
      expect(shown(document)).toEqual(rest)
      expect(document.isDamaged()).toBe(true)
      await write(document, 7)
      expect(shown(document)).toEqual([...rest, 7])
      // and the same again, for as long as it is alone
      expect(shown(await (await world.restart(0, { online: false })).open(ROOM))).toEqual([...rest, 7])
    }),
  )

  test.each([1, 3, 6])('is fetched again from another device, with what is behind it: number %i', (position) =>
    worldOf(2, async (world) => {
      await sixOfTwo(world)
      damage(world.peers[0] as SyncPeer, position)
      const alice = await world.restart(0, { online: false })
      await write(await alice.open(ROOM), 7)
      for (let start = 0; start < 2; start++) {
        const seen = await world.restart(0)
        await world.calm()
        const [here, there] = [await seen.open(ROOM), await (world.peers[1] as SyncPeer).open(ROOM)]
        expect(shown(here)).toEqual([1, 2, 3, 4, 5, 6, 7])
        expect(stateOf(here)).toEqual(stateOf(there))
      }
      expect((await (world.peers[0] as SyncPeer).open(ROOM)).isDamaged()).toBe(false)
    }),
  )

  test('is told while the document is open, when it comes back', () =>
    worldOf(2, async (world) => {
      await sixOfTwo(world)
      damage(world.peers[0] as SyncPeer, 2)
      const alice = await world.restart(0, { online: false })
      const document = await alice.open(ROOM)
      const told: string[] = []
      document.changes.subscribe(({ added }) => told.push(...added))
      alice.syncer.start()
      await world.calm()
      expect(shown(document)).toEqual([1, 2, 3, 4, 5, 6])
      expect(told.some((id) => document.operations().get(id)?.bytes[0] === 2)).toBe(true)
    }))

  test('below a snapshot is found when it is needed, and nobody is left without what is behind it', () =>
    worldOf(3, async (world) => {
      await sixOfTwo(world)
      const [alice, , carol] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
      await (await alice.documents.adopt(ROOM, {})).compact({})
      damage(alice, 2)
      const again = await world.restart(0)
      expect(shown(await again.open(ROOM))).toEqual([1, 2, 3, 4, 5, 6])
      // a device that comes new asks Alice alone
      const replica = await again.documents.replica(key, {})
      const { envelopes } = (await replica?.next(createProgress([]), {})) ?? {}
      expect(envelopes?.length).toBe(1)
      await world.calm()
      expect(shown(await carol.open(ROOM))).toEqual([1, 2, 3, 4, 5, 6])
      const back = await world.restart(0)
      await world.calm()
      expect(replica?.heldOf([...replica.vector().keys()][0] ?? 0)).toBe(6)
      expect(stateOf(await back.open(ROOM))).toEqual(stateOf(await carol.open(ROOM)))
    }))

  test('of the own chain makes no device sign two things for one place', () =>
    worldOf(3, async (world) => {
      await sixOfTwo(world)
      const [alice, bob, carol] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
      const document = await alice.open(ROOM)
      const before = document.vector().size
      damage(alice, 3)
      world.network.leave(bob.ports.signer.id)
      // whoever reads the log finds it, in the middle of this run
      const replica = await alice.documents.replica(key, {})
      await replica?.next(createProgress([]), {})
      expect([...document.vector().values()]).toEqual([2])
      await write(document, 7)
      expect(document.vector().size).toBe(before + 1)
      expect(shown(document)).toEqual([1, 2, 3, 4, 5, 6, 7])
      await world.restart(1)
      await world.calm()
      for (const peer of [alice, world.peers[1] as SyncPeer, carol])
        expect(shown(await peer.open(ROOM))).toEqual([1, 2, 3, 4, 5, 6, 7])
    }))

  test('outlasts that the log is written anew, where no other device has it', () =>
    worldOf(1, async (world) => {
      const document = await (world.peers[0] as SyncPeer).open(ROOM)
      const [first = ''] = await write(document, 1)
      await write(document, 2, 3)
      await world.restart(0)
      await write(await (world.peers[0] as SyncPeer).open(ROOM), 4)
      damage(world.peers[0] as SyncPeer, 2)
      for (let start = 0; start < 3; start++) {
        const peer = await world.restart(0)
        const again = await peer.open(ROOM)
        expect(shown(again)).toEqual(start === 0 ? [1, 3, 4] : [3, 4])
        if (start === 0) await again.erase([first])
        await (await peer.documents.adopt(ROOM, {})).compact({})
      }
    }))

  test('does not keep what is behind it from being erased', () =>
    worldOf(2, async (world) => {
      const [alice] = world.peers as [SyncPeer]
      const ids = await write(await alice.open(ROOM), 1, 2, 3)
      await world.calm()
      damage(alice, 1)
      const again = await world.restart(0, { online: false })
      const document = await again.open(ROOM)
      await document.erase([ids[2] ?? ''])
      expect(shown(document)).toEqual([2])
      await write(document, 4)
      const online = await world.restart(0)
      await world.calm()
      const here = await online.open(ROOM)
      // it was never erased anywhere: now it can be
      await here.erase([ids[2] ?? ''])
      await world.calm()
      expect(shown(here)).toEqual([1, 2, 4])
      expect(shown(await (world.peers[1] as SyncPeer).open(ROOM))).toEqual([1, 2, 4])
    }))
})
