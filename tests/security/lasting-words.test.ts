import { expect, test } from 'vitest'
import {
  asId,
  silentLogger,
  SYNC_ENDS_PAUSE_MAX_MS,
  type DeviceId,
  type RoomId,
  type ScopeId,
} from '../../mesh/base/index.ts'
import { roomScope } from '../../mesh/identity/index.ts'
import { openRoomDocument } from '../../mesh/room-documents.ts'
import { encodeRoomEntry } from '../../mesh/room-entries.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import { createRoomFold } from '../../mesh/state/rooms/fold.ts'
import { encodeRoomOperation } from '../../mesh/state/rooms/operations.ts'
import { CAME_LATE, markedEnd } from '../../mesh/sync/ends.ts'
import { readEnvelope } from '../../mesh/sync/envelope.ts'
import type { EnvelopePlace } from '../../mesh/sync/erasings.ts'
import { createMarks } from '../../mesh/sync/marks.ts'
import { documentKey, type DocumentName } from '../../mesh/sync/index.ts'
import { settle } from '../kit/clock.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// What a device says that it had of a removed one counts while it belongs, and goes on counting when it was replaced
// by another of its person, where somebody heard it in time. The word of a person who is gone counts for nothing.

const ROOM = 'ab'.repeat(16) as RoomId
const NAME: DocumentName = { id: asId(ROOM), kind: 'operations', scope: asId<ScopeId>(roomScope(ROOM)) }

type Chain = Awaited<ReturnType<typeof backdatedChain>>

/** Devices that hear each other by the test alone, each called by whose it is and what. */
class Scene<Name extends string> {
  readonly world: SyncWorld
  readonly #names: readonly Name[]
  readonly #gone = new Set<Name>()

  private constructor(world: SyncWorld, names: readonly Name[]) {
    this.world = world
    this.#names = names
  }

  static async of<Name extends string>(seed: string, names: readonly Name[]): Promise<Scene<Name>> {
    const scene = new Scene(await createSyncWorld(seed, names.length), names)
    const personOf = (id: DeviceId): string | undefined => names.find((name) => scene.id(name) === id)?.split('’')[0]
    for (const { ports } of scene.world.peers)
      Object.assign(ports.writers, {
        personOf,
        personMayWrite: (id: DeviceId, scope: ScopeId) =>
          names.some(
            (name) => personOf(scene.id(name)) === personOf(id) && ports.writers.mayWrite(scene.id(name), scope),
          ),
      })
    return scene
  }

  peer(name: Name): SyncPeer {
    return this.world.peers[this.#names.indexOf(name)] as SyncPeer
  }

  id(name: Name): DeviceId {
    return this.peer(name).ports.signer.id
  }

  async letIn(...names: Name[]): Promise<void> {
    for (const name of names) {
      this.world.scopes.grant(this.id(name), NAME.scope, ['read', 'write', 'store'])
      this.world.scopes.share(this.id(name), NAME.scope)
    }
    await this.world.scopes.rotate(NAME.scope)
  }

  async remove(name: Name): Promise<void> {
    this.#gone.add(name)
    this.world.scopes.revoke(this.id(name), NAME.scope)
    await this.world.scopes.rotate(NAME.scope)
    await this.pass()
  }

  /** As long as it takes until ends are told and asked for, with these linked to each other. */
  async pass(...linked: Name[]): Promise<void> {
    this.world.network.partition(linked.map((name) => this.id(name)), ...this.#names.filter((name) => !linked.includes(name)).map((name) => [this.id(name)])) // prettier-ignore
    for (let step = 0; step < 4; step++) {
      await this.world.calm()
      await this.world.clock.advanceAsync(SYNC_ENDS_PAUSE_MAX_MS)
    }
    await this.world.calm()
  }

  async sign(by: Name, step: BackdatedStep): Promise<Chain> {
    const { ports } = this.peer(by)
    const key = (await this.#epoch) ?? (await ports.keyring.current(NAME.scope, {}))
    return backdatedChain([step], { ports, document: NAME, epoch: key, at: this.world.clock.now() })
  }

  #epoch: ReturnType<SyncPeer['ports']['keyring']['current']> | undefined
  /** All that is signed from now on is under the key of now. */
  keepKey(name: Name): void {
    this.#epoch = this.peer(name).ports.keyring.current(NAME.scope, {})
  }

  name(by: Name, called: string, later = 0): Promise<Chain> {
    const at = this.world.clock.now() + later
    const operation = encodeRoomOperation({ op: 'name', order: at, name: called })
    const id = entryId(at, this.peer(by).ports.random, this.id(by))
    return this.sign(by, { bytes: encodeRoomEntry({ id, operation }) })
  }

  async bring(to: Name, by: Name, ...chains: Chain[]): Promise<void> {
    const { documents } = this.peer(to)
    const replica = await documents.adopt(NAME, {})
    for (const { envelopes } of chains) {
      const { stored } = await replica.receive(envelopes, this.id(by), {})
      expect(stored).toHaveLength(envelopes.length)
    }
    documents.release(replica)
    await settle(10)
  }

  async called(name: Name): Promise<string | undefined> {
    const { documents, syncer } = this.peer(name)
    const document = await openRoomDocument({ self: this.id(name), documents, syncer, log: silentLogger }, ROOM)
    const fold = createRoomFold()
    for (const [id, stored] of document.operations()) fold.put(id, stored)
    await document.close()
    return fold.setting('name')?.operation.name
  }
}

async function withScene<Name extends string>(
  seed: string,
  names: readonly Name[],
  work: (scene: Scene<Name>) => Promise<void>,
): Promise<void> {
  const scene = await Scene.of(seed, names)
  try {
    await work(scene)
  } finally {
    await scene.world.stop()
  }
}

/** An end of a whole chain, as who has it tells it. */
function endOf({ chain, envelopes }: Chain): EnvelopePlace[] {
  const marks = createMarks()
  for (const bytes of envelopes) marks.add(readEnvelope(bytes).hash)
  return markedEnd({ chain, sequence: envelopes.length }, marks.at(envelopes.length))
}

test.each(['the envelope comes first', 'what Mallory told comes first'])(
  'what one who was removed too told of a removed device goes with them: %s',
  async (order) => {
    await withScene(order, ['Alice’s laptop', 'Alice’s phone', 'Mallory’s', 'Bob’s'], async (scene) => {
      await scene.letIn('Alice’s laptop', 'Alice’s phone', 'Mallory’s', 'Bob’s')
      scene.keepKey('Alice’s phone')
      await scene.pass()
      await scene.bring('Alice’s laptop', 'Bob’s', await scene.name('Bob’s', 'Family'))
      await scene.remove('Alice’s phone')
      const late = await scene.name('Alice’s phone', 'Thieves', 10)
      const told = await scene.sign('Mallory’s', { ends: endOf(late) })
      const chains = order.startsWith('the envelope') ? [late, told] : [told, late]
      await scene.bring('Alice’s laptop', 'Mallory’s', ...chains)
      await scene.pass()
      expect(await scene.called('Alice’s laptop')).toBe('Thieves')
      await scene.remove('Mallory’s')
      await scene.pass('Alice’s laptop', 'Bob’s')
      expect([await scene.called('Alice’s laptop'), await scene.called('Bob’s')]).toEqual(['Family', 'Family'])
    })
  },
)

test('what a phone did in time counts though those that had it were replaced one after the other', async () => {
  const names = ['Alice’s phone', 'Alice’s tablet', 'Alice’s laptop', 'Alice’s next', 'Alice’s last', 'Bob’s'] as const
  await withScene('replaced', names, async (scene) => {
    await scene.letIn('Alice’s phone', 'Alice’s tablet', 'Bob’s')
    await scene.pass()
    const before = await scene.name('Bob’s', 'Before')
    const edited = await scene.name('Alice’s phone', 'Family', 10)
    await scene.bring('Alice’s tablet', 'Bob’s', before)
    await scene.bring('Alice’s tablet', 'Alice’s phone', edited)
    await scene.remove('Alice’s phone')
    let [from]: (typeof names)[number][] = ['Alice’s tablet']
    for (const next of ['Alice’s laptop', 'Alice’s next', 'Alice’s last'] as const) {
      await scene.letIn(next)
      await scene.pass(from as 'Alice’s tablet', next)
      expect(await scene.called(next)).toBe('Family')
      await scene.remove(from as 'Alice’s tablet')
      expect(await scene.called(next)).toBe('Family')
      await scene.world.restart(names.indexOf(next))
      expect(await scene.called(next)).toBe('Family')
      from = next
    }
    await scene.pass('Alice’s last', 'Bob’s')
    expect([await scene.called('Alice’s last'), await scene.called('Bob’s')]).toEqual(['Family', 'Family'])
  })
})

/** A stolen phone and a stolen tablet, and Mallory who vouches for what the one says of the other. */
test('what a stolen device says late of another counts while somebody says to have had it in time', async () => {
  const names = ['Alice’s laptop', 'Alice’s phone', 'Alice’s tablet', 'Mallory’s', 'Bob’s'] as const
  await withScene('stolen', names, async (scene) => {
    await scene.letIn(...names)
    scene.keepKey('Alice’s phone')
    await scene.pass()
    await scene.bring('Alice’s laptop', 'Bob’s', await scene.name('Bob’s', 'Family'))
    await scene.remove('Alice’s phone')
    await scene.remove('Alice’s tablet')
    const late = await scene.name('Alice’s phone', 'Thieves', 10)
    const told = await scene.sign('Alice’s tablet', { ends: endOf(late) })
    const vouched = await scene.sign('Mallory’s', { ends: endOf(told) })
    await scene.bring('Alice’s laptop', 'Mallory’s', vouched, told, late)
    expect(await scene.called('Alice’s laptop')).toBe('Thieves')
    await scene.pass('Alice’s laptop', 'Bob’s')
    expect(await scene.called('Bob’s')).toBe('Thieves')
    await scene.remove('Mallory’s')
    await scene.pass('Alice’s laptop', 'Bob’s')
    expect([await scene.called('Alice’s laptop'), await scene.called('Bob’s')]).toEqual(['Family', 'Family'])
  })
})

test.each(['with no mark', 'with a mark of something else'])(
  'a stolen device says in time what it writes only later, %s: that does not count once it was removed',
  async (how) => {
    await withScene(how, ['Alice’s laptop', 'Alice’s phone', 'Bob’s'], async (scene) => {
      await scene.letIn('Alice’s laptop', 'Alice’s phone', 'Bob’s')
      scene.keepKey('Alice’s phone')
      await scene.pass()
      const late = await scene.name('Alice’s phone', 'Thieves', 10)
      const end = { chain: late.chain, sequence: 1 }
      const ends = how === 'with no mark' ? [end] : [end, { ...CAME_LATE, sequence: 7 }, { ...CAME_LATE, sequence: 7 }]
      await scene.bring('Alice’s laptop', 'Bob’s', await scene.name('Bob’s', 'Family'))
      await scene.bring('Alice’s laptop', 'Alice’s phone', await scene.sign('Alice’s phone', { ends }))
      await scene.remove('Alice’s phone')
      await scene.bring('Alice’s laptop', 'Bob’s', late)
      await scene.pass('Alice’s laptop', 'Bob’s')
      expect([await scene.called('Alice’s laptop'), await scene.called('Bob’s')]).toEqual(['Family', 'Family'])
      const replica = await scene.peer('Bob’s').documents.replica(documentKey(NAME), {})
      expect(replica?.heldOf(late.chain)).toBe(1)
    })
  },
)
