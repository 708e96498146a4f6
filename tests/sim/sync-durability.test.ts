import { expect, test } from 'vitest'
import { isMeshError } from '../../mesh/base/index.ts'
import { createProgress } from '../../mesh/sync/serving.ts'
import type { WriteFault } from '../kit/memory-store.ts'
import { createSyncWorld, ROOM, stateOf, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

const bytes = (value: number): Uint8Array => new Uint8Array(40).fill(value)

/** What the disk promised before it failed. */
interface Promised {
  readonly written: Set<string>
  readonly erased: Set<string>
  /** Asked for when the disk failed: may or may not be there. */
  readonly unsure: Set<string>
}

async function exchange(from: SyncPeer, to: SyncPeer): Promise<void> {
  const source = await from.documents.adopt(ROOM, {})
  const target = await to.documents.adopt(ROOM, {})
  const progress = createProgress(target.vector())
  for (let more = true; more;) {
    const batch = await source.next(progress, {})
    if (batch.envelopes.length > 0) await target.receive(batch.envelopes, from.documents.self, {})
    ;({ more } = batch)
  }
}

/** How a step is done: once, or again after the disk refused it. */
type Attempt = (work: () => Promise<unknown>) => Promise<void>

/** A session that uses every way to the disk: first writes, foreign ones, erasing, both sorts of compaction, a restart. */
async function session(world: SyncWorld, promised: Promised, attempt: Attempt): Promise<void> {
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  const here = await alice.open(ROOM)
  const replica = await alice.documents.adopt(ROOM, {})
  const write = async (count: number, value: number): Promise<string> => {
    let ids: string[] = []
    await attempt(async () => {
      ids = await here.write(Array.from({ length: count }, () => ({ bytes: bytes(value) })))
    })
    for (const id of ids) promised.written.add(id)
    return ids[0] ?? ''
  }
  const erase = async (id: string): Promise<void> => {
    promised.unsure.add(id)
    await attempt(async () => {
      await here.erase([id])
      promised.unsure.delete(id)
      promised.erased.add(id)
    })
  }
  const compact = (): Promise<void> => attempt(() => replica.compact({}))
  const first = await write(3, 1)
  await attempt(() => exchange(bob, alice))
  await compact()
  const second = await write(1, 2)
  await erase(second)
  await erase(first)
  await compact()
  await write(300, 3)
  await compact()
  const third = await write(2, 4)
  await erase(third)
  // as it is for a chat that was deleted
  here.close()
  await attempt(() => replica.forgetErased({}))
}

/** A device whose disk fails at one write. @returns how many writes there were to fail */
async function failAt(
  atWrite: number,
  fault: Pick<WriteFault, 'torn' | 'count' | 'isFull'>,
  attempt: Attempt,
): Promise<number> {
  const world = await createSyncWorld(`kill ${String(atWrite)}`, 2, { online: false })
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  const there = await bob.open(ROOM)
  const foreign = await there.write([{ bytes: bytes(9) }, { bytes: bytes(8) }])
  const promised: Promised = { written: new Set(), erased: new Set(), unsure: new Set() }
  const before = alice.store.writeCount
  alice.store.failWrites({ code: 'storage-failed', atWrite, ...fault })
  await session(world, promised, attempt).catch(expectDiskFailure)
  const writes = alice.store.writeCount - before
  // twice: what was written after the first start has to be there after the second
  for (let start = 0; start < 2; start++) {
    const again = await world.restart(0)
    const document = await again.open(ROOM)
    for (const id of promised.written)
      if (!promised.unsure.has(id))
        expect(document.operations().has(id), `${id} was acknowledged`).toBe(!promised.erased.has(id))
    expect(document.isDamaged()).toBe(false)
    for (const id of await document.write([{ bytes: bytes(7) }])) promised.written.add(id)
  }
  // and everything goes on as ever
  const last = world.peers[0] as SyncPeer
  const document = await last.open(ROOM)
  await exchange(last, bob)
  await exchange(bob, last)
  expect(stateOf(document)).toEqual(stateOf(there))
  for (const id of foreign) expect(document.operations().has(id)).toBe(true)
  expect([...last.documents.quarantined(), ...bob.documents.quarantined()]).toEqual([])
  await world.stop()
  return writes
}

function expectDiskFailure(error: unknown): void {
  if (!isMeshError(error, 'storage-failed')) throw error
}

const once: Attempt = async (work) => {
  await work()
}
/** Whoever was refused tries again, and goes on with something else when that is refused too. */
const again: Attempt = async (work) => {
  await work().catch(async (error: unknown) => {
    expectDiskFailure(error)
    await work().catch(expectDiskFailure)
  })
}

for (const [name, fault, attempt] of [
  ['the disk is gone from then on', { count: Number.MAX_SAFE_INTEGER }, once],
  ['one write is torn', { torn: true }, once],
  ['one write is torn, and is tried again', { torn: true }, again],
  ['the disk is full from then on', { count: Number.MAX_SAFE_INTEGER, isFull: true }, again],
] as const) {
  test(`nothing acknowledged is lost at whichever write a kill comes: ${name}`, async () => {
    const writes = await failAt(Number.MAX_SAFE_INTEGER, {}, once)
    // a session with fewer ways to the disk would prove less
    expect(writes).toBeGreaterThan(30)
    for (let atWrite = 1; atWrite <= writes; atWrite++) await failAt(atWrite, fault, attempt)
  }, 120_000)
}

/** What only a keeper has of a removed device comes, its ends are told, and the disk fails. @returns how many writes there were */
async function killWhileLate(atWrite: number, fault: Pick<WriteFault, 'torn' | 'count'>): Promise<number> {
  const world = await createSyncWorld(`late ${String(atWrite)}`, 3, { online: false })
  const [alice, keeper, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  const there = await phone.open(ROOM)
  const [id = ''] = await there.write([{ bytes: bytes(1) }])
  await there.write([{ bytes: bytes(2) }])
  await there.erase([id])
  await exchange(phone, keeper)
  world.scopes.grant(keeper.documents.self, 'mesh', ['store'])
  world.scopes.revoke(phone.documents.self, 'mesh')
  await world.scopes.rotate('mesh')
  const before = alice.store.writeCount
  const replica = await alice.documents.adopt(ROOM, {})
  alice.store.failWrites({ code: 'storage-failed', atWrite, ...fault })
  const session = async (): Promise<void> => {
    await exchange(keeper, alice)
    await replica.tellEnds({})
    await replica.compact({})
  }
  await session().catch((error: unknown) => {
    if (!isMeshError(error, 'storage-failed')) throw error
  })
  const writes = alice.store.writeCount - before
  const acknowledged = replica.vector()
  const again = await world.restart(0)
  const after = await again.documents.adopt(ROOM, {})
  for (const [chain, sequence] of acknowledged) expect(after.heldOf(chain)).toBeGreaterThanOrEqual(sequence)
  await exchange(keeper, again)
  await after.tellEnds({})
  await exchange(again, keeper)
  expect((await keeper.documents.adopt(ROOM, {})).digest()).toBe(after.digest())
  expect([...(await again.open(ROOM)).operations().values()].map((one) => one.bytes)).toEqual([bytes(2)])
  expect([...again.documents.quarantined(), ...keeper.documents.quarantined()]).toEqual([])
  await world.stop()
  return writes
}

test.each([
  ['the disk is gone from then on', { count: Number.MAX_SAFE_INTEGER }],
  ['one write fails', {}],
  ['one write is torn', { torn: true }],
] as const)(
  'nor while what only a keeper has of a removed device comes, and its end is told: %s',
  async (_name, fault) => {
    const writes = await killWhileLate(Number.MAX_SAFE_INTEGER, {})
    expect(writes).toBeGreaterThan(5)
    for (let atWrite = 1; atWrite <= writes; atWrite++) await killWhileLate(atWrite, fault)
  },
  120_000,
)
