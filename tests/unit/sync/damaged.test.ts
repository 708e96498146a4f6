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

type Entries = SyncPeer['store']['data']['logs'] extends Map<string, infer List> ? List : never

const logOf = ({ store }: SyncPeer): Entries =>
  [...store.data.logs].find(([name]) => name.startsWith(`sync/document/${key}/log-`))?.[1] ?? []

/** As the sealed store tells an entry that does not open. */
function damage(peer: SyncPeer, ...positions: readonly number[]): void {
  for (const position of positions) {
    const entry = logOf(peer)[position - 1]
    if (entry === undefined) throw new TypeError(`no entry ${String(position)}`)
    Object.assign(entry, { bytes: undefined })
  }
}

/** As a hole in what LevelDB wrote last takes them: the numbers of the others stay. */
function takeAway(peer: SyncPeer, first: number, count: number): void {
  logOf(peer).splice(first - 1, count)
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

describe('entries that are gone from a document’s log', () => {
  test.each([
    ['before its snapshot', 1, 2],
    ['before its snapshot, all of them', 1, 6],
    ['at the end of its snapshot', 4, 3],
  ])('do not take what is written from then on with them: %s', (_where, first, count) =>
    worldOf(2, async (world) => {
      await sixOfTwo(world)
      const [alice] = world.peers as [SyncPeer]
      await (await alice.documents.adopt(ROOM, {})).compact({})
      takeAway(alice, first, count)
      for (const [start, value] of [7, 8, 9].entries()) {
        const again = await world.restart(0, { online: false })
        const document = await again.open(ROOM)
        expect(shown(document)).toEqual(expect.arrayContaining([7, 8].slice(0, start)))
        await write(document, value)
      }
      const back = await world.restart(0, { online: false })
      const document = await back.open(ROOM)
      back.syncer.start()
      await world.calm()
      expect(shown(document)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
      await giveAll(back, world)
      expect(stateOf(document)).toEqual(stateOf(await (world.peers[1] as SyncPeer).open(ROOM)))
    }),
  )

  test('at its end cost what is in them alone, where no other device has them', () =>
    worldOf(1, async (world) => {
      await write(await (world.peers[0] as SyncPeer).open(ROOM), 1, 2, 3, 4, 5, 6)
      const [alice] = world.peers as [SyncPeer]
      const replica = await alice.documents.adopt(ROOM, {})
      await replica.compact({})
      takeAway(alice, 4, 3)
      const again = await world.restart(0)
      // the snapshot has what the log has not
      expect(shown(await again.open(ROOM))).toEqual([1, 2, 3, 4, 5, 6])
      expect((await again.open(ROOM)).isDamaged()).toBe(true)
      // and a disk that takes nothing does not make it worse
      again.store.failWrites({ code: 'storage-full', atWrite: 1, count: Infinity })
      await expect(write(await again.open(ROOM), 7)).rejects.toMatchObject({ code: 'storage-full' })
      again.store.heal()
      await write(await again.open(ROOM), 8)
      expect(shown(await (await world.restart(0)).open(ROOM))).toEqual([1, 2, 3, 4, 5, 6, 8])
    }))

  test.each(['below a snapshot', 'without one'])('are fetched again, and given to who comes new: %s', (where) =>
    worldOf(2, async (world) => {
      await sixOfTwo(world)
      const [alice] = world.peers as [SyncPeer]
      if (where === 'below a snapshot') await (await alice.documents.adopt(ROOM, {})).compact({})
      takeAway(alice, 2, 2)
      const back = await world.restart(0)
      await world.calm()
      expect(shown(await back.open(ROOM))).toEqual([1, 2, 3, 4, 5, 6])
      await giveAll(back, world)
      expect((await givenTo(back)).length).toBe(6)
    }),
  )
})

/** What a device that comes new is given. */
async function givenTo(peer: SyncPeer): Promise<readonly Uint8Array[]> {
  const replica = await peer.documents.replica(key, {})
  return (await replica?.next(createProgress([]), {}))?.envelopes ?? []
}

/** Whoever is asked finds what is damaged, and fetches it. */
async function giveAll(peer: SyncPeer, world: SyncWorld): Promise<void> {
  await givenTo(peer)
  await world.calm()
}

describe('a damaged entry of a chain of which something was erased later', () => {
  test.each([
    ['reader', 2],
    ['author', 0],
  ])('does not bring back what was erased, on the device of its %s', (_who, victim) =>
    worldOf(3, async (world) => {
      await eraseInNextRun(world, 1)
      await expectMended(world, victim, [1, 3, 4, 5, 6])
    }),
  )

  test.each([
    ['reader', 2],
    ['author', 0],
  ])('comes back where the others let go of it, on the device of its %s', (_who, victim) =>
    worldOf(3, async (world) => {
      await eraseInNextRun(world, 0)
      for (const peer of world.peers)
        if (peer.index !== victim) await (await peer.documents.adopt(ROOM, {})).compact({})
      await expectMended(world, victim, [2, 3, 4, 5, 6])
    }),
  )

  test('nor does one before what erases it, where no other device has that', () =>
    worldOf(1, async (world) => {
      const ids = await write(await (world.peers[0] as SyncPeer).open(ROOM), 1, 2, 3)
      const again = await (await world.restart(0)).open(ROOM)
      await write(again, 4, 5)
      await again.erase([ids[1] ?? ''])
      damage(world.peers[0] as SyncPeer, 4)
      for (let start = 0; start < 2; start++)
        expect(shown(await (await world.restart(0)).open(ROOM))).toEqual([1, 3, 5])
    }))

  /** Alice writes six, and erases one after another start. */
  async function eraseInNextRun(world: SyncWorld, index: number): Promise<void> {
    const ids = await write(await (world.peers[0] as SyncPeer).open(ROOM), 1, 2, 3, 4, 5, 6)
    await world.calm()
    await (await (await world.restart(0)).open(ROOM)).erase([ids[index] ?? ''])
    await world.calm()
  }

  /** The head of the chain is damaged: it comes back with nothing of what was erased, and stays so. */
  async function expectMended(world: SyncWorld, victim: number, expected: readonly number[]): Promise<void> {
    damage(world.peers[victim] as SyncPeer, 1)
    for (let start = 0; start < 2; start++) {
      const again = await world.restart(victim)
      await world.calm()
      const [here, there] = [await again.open(ROOM), await (world.peers[1] as SyncPeer).open(ROOM)]
      expect(shown(here)).toEqual(expected)
      expect(stateOf(here)).toEqual(stateOf(there))
    }
  }
})
