import { expect, test } from 'vitest'
import {
  asId,
  createEvents,
  silentLogger,
  SYNC_ENDS_PAUSE_MAX_MS,
  type ChatId,
  type DeviceId,
  type MessageId,
  type PersonId,
  type RoomId,
  type ScopeId,
} from '../../mesh/base/index.ts'
import { createChatDocuments } from '../../mesh/chat-documents.ts'
import { roomScope } from '../../mesh/identity/index.ts'
import { openRoomDocument } from '../../mesh/room-documents.ts'
import { encodeRoomEntry } from '../../mesh/room-entries.ts'
import { reconcileChat, startReading } from '../../mesh/state/chat-reconcile.ts'
import type { Chats } from '../../mesh/state/chats.ts'
import { createChats } from '../../mesh/state/create-chats.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import { encodeOperation, type Operation } from '../../mesh/state/operations.ts'
import { answerContent, isErasingSure, messageContent } from '../../mesh/state/rooms/contents.ts'
import { createRoomFold } from '../../mesh/state/rooms/fold.ts'
import { createLastSaid } from '../../mesh/state/rooms/last-said.ts'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import type { RoomDocument } from '../../mesh/state/rooms/document.ts'
import type { DocumentName } from '../../mesh/sync/index.ts'
import { encode } from '../../mesh/wire/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { backdatedChain } from '../kit/removed-writer.ts'
import { createSyncWorld, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// A phone is stolen and removed. Its thief signs that what other devices of its person wrote is deleted, has
// other words, another name or another rule, and a device that only keeps documents brings it.

const LAPTOP = 0
const TABLET = 1
const KEEPER = 2
const PHONE = 3

const idOf = (world: SyncWorld, index: number): DeviceId => (world.peers[index] as SyncPeer).ports.signer.id

interface Theft {
  readonly world: SyncWorld
  newId(by: number): string
  /** Signed on the phone, in one chain. */
  sign(...steps: readonly Uint8Array[]): Promise<Uint8Array[]>
  bring(to: number, by: number, envelopes: readonly Uint8Array[]): Promise<void>
  /** Laptop and tablet hear each other from now on. */
  join(): Promise<void>
  remove(index: number): Promise<void>
}

async function withTheft(seed: string, name: DocumentName, work: (theft: Theft) => Promise<void>): Promise<void> {
  const world = await createSyncWorld(seed, 4)
  const untilTold = async (): Promise<void> => {
    for (let step = 0; step < 3; step++) await world.clock.advanceAsync(SYNC_ENDS_PAUSE_MAX_MS)
    await world.calm()
  }
  try {
    for (const index of [LAPTOP, TABLET, PHONE])
      world.scopes.grant(idOf(world, index), name.scope, ['read', 'write', 'store'])
    world.scopes.grant(idOf(world, KEEPER), name.scope, ['store'])
    await world.scopes.rotate(name.scope)
    const { ports } = world.peers[PHONE] as SyncPeer
    const epoch = await ports.keyring.current(name.scope, {})
    const at = world.clock.now()
    world.network.partition(...world.peers.map((_, index) => [idOf(world, index)]))
    await work({
      world,
      newId: (by) => entryId(at, (world.peers[by] as SyncPeer).ports.random, idOf(world, by)),
      sign: async (...steps) => {
        const chain = steps.map((bytes) => ({ bytes }))
        return (await backdatedChain(chain, { ports, document: name, epoch, at })).envelopes
      },
      async bring(to, by, envelopes) {
        const { documents } = world.peers[to] as SyncPeer
        const replica = await documents.adopt(name, {})
        await replica.receive(envelopes, idOf(world, by), {})
        documents.release(replica)
        await untilTold()
      },
      async join() {
        world.network.partition([idOf(world, LAPTOP), idOf(world, TABLET)])
        await world.calm()
        await untilTold()
      },
      async remove(index) {
        world.scopes.revoke(idOf(world, index), name.scope)
        await world.scopes.rotate(name.scope)
      },
    })
  } finally {
    await world.stop()
  }
}

const SCOPE = asId<ScopeId>(`person:${'c'.repeat(32)}`)
const CHAT = 'chat1' as ChatId
const CHAT_NAME: DocumentName = { id: asId(`chat-aaaaaaaaaaaa-${CHAT}`), kind: 'operations', scope: SCOPE }

interface ChatTheft extends Theft {
  readonly message: MessageId
  /** Envelopes of one chain, one for each. */
  fromPhone(...happenings: readonly Partial<Operation>[]): Promise<Uint8Array[]>
  shown(index: number): Promise<string>
  /** The person goes on from this message, on that device. */
  goOn(index: number, from: MessageId): Promise<void>
  /** All branches, as they were when it was shown last. */
  everything(): string
}

async function withChat(seed: string, work: (theft: ChatTheft) => Promise<void>): Promise<void> {
  await withTheft(seed, CHAT_NAME, async (theft) => {
    const { world, newId, sign } = theft
    const at = world.clock.now()
    const stores = [createMemoryStore(), createMemoryStore()]
    const operation = (by: number, some: object): Operation =>
      ({ v: 1, id: newId(by), at, order: at, chat: CHAT, ...some }) as Operation
    const entry = (one: Operation): Uint8Array => encode({ i: one.id, o: encodeOperation(one) })
    let all = ''
    const message = newId(LAPTOP) as MessageId
    const document = await (world.peers[LAPTOP] as SyncPeer).open(CHAT_NAME)
    await document.write([
      { bytes: entry(operation(LAPTOP, { op: 'chat' })) },
      { bytes: entry(operation(LAPTOP, { op: 'say', message, parent: null, text: 'My own words.' })) },
    ])
    /** Read anew each time, as after a restart. */
    const open = async (index: number): Promise<Chats> => {
      const { documents, ports } = world.peers[index] as SyncPeer
      const place = { scope: SCOPE, prefix: 'chat-aaaaaaaaaaaa-', keys: '' }
      const placeChanges = createEvents<void>(() => undefined)
      const self = ports.signer.id
      const chats = createChatDocuments({ self, documents, log: silentLogger, place: () => place, placeChanges })
      const store = stores[index] as MemoryStore
      const both = { document: await chats.open(CHAT, {}), held: startReading(CHAT) }
      for (let pass = 0; pass < 4; pass++) await reconcileChat({ store, log: silentLogger, self }, both, {})
      both.document.close()
      const given = { store, clock: world.clock, random: ports.random, log: silentLogger, self: () => self }
      return createChats(given)
    }
    await work({
      ...theft,
      message,
      fromPhone: (...some) => sign(...some.map((each) => entry(operation(PHONE, { order: at + 1, ...each })))),
      async goOn(index, from) {
        await (await open(index)).showBranch(CHAT, from)
        await open(index)
      },
      async shown(index) {
        const opened = await open(index)
        const view = opened.get(CHAT)
        all = view === undefined ? '' : opened.export(CHAT, 'json')
        return JSON.stringify([view?.title, view?.model, view?.updatedAt, view?.path.map(({ text }) => text)])
      },
      everything: () => all,
    })
    document.close()
  })
}

test.each(['deleted', 'title', 'model', 'say', 'end'] as const)(
  'what a removed device signs late changes nothing that others wrote in a chat: %s',
  async (op) => {
    await withChat(`chat, ${op}`, async ({ message, fromPhone, shown, bring, remove, join }) => {
      const late = await fromPhone({
        ...({ op, message, parent: null, text: 'Of a thief.', title: 'Of a thief', state: 'done' } as object),
        ...(op === 'model' ? { model: 'of a thief' as never } : {}),
      })
      await join()
      const before = await shown(LAPTOP)
      expect(before).toContain('My own words.')
      await remove(PHONE)
      await bring(LAPTOP, KEEPER, late)
      for (const index of [LAPTOP, TABLET]) expect(await shown(index)).toBe(before)
    })
  },
)

test.each([
  ['below what is there', (message: MessageId) => message, 1],
  ['as another beginning', () => null, 1],
  ['before what is there', () => null, -1],
] as const)(
  'what a removed device said late in a chat in its own name comes as a branch, and is shown to nobody unasked: %s',
  async (_where, parentFor, later) => {
    await withChat(`chat, own, ${_where}`, async (theft) => {
      const { world, newId, message, fromPhone, shown, everything, bring, remove, join } = theft
      const own = newId(PHONE) as MessageId
      const some = { message: own, parent: parentFor(message), text: 'Written in time.' }
      const late = await fromPhone({ op: 'say', ...some, order: world.clock.now() + later })
      await join()
      const before = await shown(LAPTOP)
      await remove(PHONE)
      await bring(LAPTOP, KEEPER, late)
      for (const index of [LAPTOP, TABLET, LAPTOP]) {
        expect(await shown(index)).toBe(before)
        expect(everything()).toContain('Written in time.')
      }
    })
  },
)

const DONE = { op: 'end', state: 'done', text: 'Of a thief.' } as const

/** What the phone signs before it is removed, while it may, and what it signs for that afterwards. */
const PREPARED: [string, (own: MessageId, other: MessageId, message: MessageId) => Partial<Operation>[]][] = [
  [
    'a view of it',
    (own, _, message) => [
      { op: 'show', message: own },
      { op: 'say', message: own, parent: message, text: 'Of a thief.' },
    ],
  ],
  [
    'words below it',
    (own, other, message) => [
      { op: 'say', message: other, parent: own, text: 'In time.' },
      { op: 'say', message: own, parent: message, text: 'Of a thief.' },
    ],
  ],
  [
    'an answer without an end',
    (own, _, message) => [
      { op: 'answer', message: own, parent: message },
      { ...DONE, message: own },
    ],
  ],
]

test.each(PREPARED)(
  'what a removed device had signed in time brings nothing into view that it says late: %s',
  async (what, make) => {
    await withChat(
      `chat, prepared, ${what}`,
      async ({ newId, message, fromPhone, shown, goOn, everything, ...theft }) => {
        const { world, bring, remove, join } = theft
        const [own, other] = [newId(PHONE) as MessageId, newId(PHONE) as MessageId]
        const [inTime, late] = await fromPhone(...make(own, other, message))
        await join()
        await bring(LAPTOP, PHONE, [inTime as Uint8Array])
        await remove(PHONE)
        expect(await shown(LAPTOP)).not.toContain('thief')
        await bring(LAPTOP, KEEPER, [late as Uint8Array])
        for (const index of [LAPTOP, TABLET, LAPTOP]) {
          expect(await shown(index)).not.toContain('thief')
          expect(everything()).toContain('Of a thief.')
        }
        // a person may choose it, for all their devices
        await goOn(TABLET, own)
        await world.calm()
        for (const index of [LAPTOP, TABLET]) expect(await shown(index)).toContain('Of a thief.')
      },
    )
  },
)

test('what somebody had in time is in view again once they tell so', async () => {
  await withChat(
    'chat, in time after all',
    async ({ newId, message, fromPhone, shown, bring, remove, join, world }) => {
      const own = newId(PHONE) as MessageId
      const words = await fromPhone({ op: 'say', message: own, parent: message, text: 'Written in time.' })
      await join()
      world.network.partition(...world.peers.map((_, index) => [idOf(world, index)]))
      await bring(TABLET, PHONE, words)
      await remove(PHONE)
      await bring(LAPTOP, KEEPER, words)
      expect(await shown(LAPTOP)).not.toContain('Written in time.')
      await join()
      for (const index of [LAPTOP, TABLET]) expect(await shown(index)).toContain('Written in time.')
    },
  )
})

test.each([LAPTOP, TABLET])(
  'a chat that a device deleted before it was removed stays deleted, also where it comes late, had by %i alone',
  async (holder) => {
    await withChat(`chat, in time, ${String(holder)}`, async ({ fromPhone, shown, bring, remove, join, world }) => {
      const deletion = await fromPhone({ op: 'deleted' })
      await join()
      expect(await shown(TABLET)).toContain('My own words.')
      world.network.partition(...world.peers.map((_, index) => [idOf(world, index)]))
      await bring(holder, PHONE, deletion)
      expect(await shown(holder)).not.toContain('My own words.')
      await remove(PHONE)
      const other = holder === LAPTOP ? TABLET : LAPTOP
      await bring(other, KEEPER, deletion)
      expect(await shown(other)).toContain('My own words.')
      await join()
      for (const index of [LAPTOP, TABLET]) expect(await shown(index)).not.toContain('My own words.')
    })
  },
)

const ROOM = 'ab'.repeat(16) as RoomId
const ROOM_NAME: DocumentName = { id: asId(ROOM), kind: 'operations', scope: asId<ScopeId>(roomScope(ROOM)) }
const personOf = (): PersonId => 'a'.repeat(32) as PersonId

/** Room as an open one knows it: read once, and what changes followed. */
function follow(document: RoomDocument): () => string {
  const fold = createRoomFold()
  const put = (id: string): void => {
    const stored = document.operations().get(id)
    if (stored !== undefined) fold.put(id, stored)
  }
  for (const id of document.operations().keys()) put(id)
  document.changes.subscribe(({ added, erased }) => {
    erased.forEach((id) => {
      fold.erase(id)
    })
    added.forEach(put)
  })
  return () => {
    const said = createLastSaid(personOf)
    const ports = { personOf, isOneWrite: () => true, lastSaid: said.of }
    const all = fold.messages.map((node) =>
      node.head.operation.op === 'say' ? messageContent(node, ports) : answerContent(node, ports),
    )
    const settings = [fold.setting('name')?.operation.name, fold.setting('rule')?.operation.rule]
    const toErase = fold.messages.filter((node) => isErasingSure(node, undefined, personOf)).length
    return JSON.stringify([...settings, all, [...fold.marks()].length, fold.origins.size, toErase])
  }
}

interface RoomTheft extends Theft {
  readonly message: MessageId
  readonly answer: MessageId
  open(index: number): Promise<{ shown(): string; close(): Promise<void> }>
  fromPhone(happening: RoomHappening): Promise<Uint8Array[]>
}

async function withRoom(seed: string, work: (theft: RoomTheft) => Promise<void>): Promise<void> {
  await withTheft(seed, ROOM_NAME, async (theft) => {
    const { world, newId, sign } = theft
    const order = world.clock.now()
    const open = async (index: number): Promise<RoomDocument> => {
      const { documents, syncer, ports } = world.peers[index] as SyncPeer
      return openRoomDocument({ self: ports.signer.id, documents, syncer, log: silentLogger }, ROOM)
    }
    const [message, answer] = [newId(LAPTOP) as MessageId, newId(LAPTOP) as MessageId]
    const document = await open(LAPTOP)
    const write = (happening: RoomHappening, id = newId(LAPTOP)): Promise<void> =>
      document.write([{ id, bytes: encodeRoomOperation(happening) }])
    await write({ op: 'name', order, name: 'Cabin' })
    await write({ op: 'say', order, parents: [] }, message)
    await write({ op: 'text', order, message, text: 'The key is under the stone.' })
    await write({ op: 'answer', order: order + 1, parents: [message], question: message }, answer)
    await write({ op: 'part', answer, from: 0, text: 'Good.' })
    await theft.join()
    await work({
      ...theft,
      ...{ message, answer },
      async open(index) {
        const one = await open(index)
        return { shown: follow(one), close: () => one.close() }
      },
      fromPhone: (happening) => sign(encodeRoomEntry({ id: newId(PHONE), operation: encodeRoomOperation(happening) })),
    })
    await document.close()
  })
}

const ROOM_OPERATIONS: [string, (of: RoomTheft, order: number) => RoomHappening][] = [
  ['delete', ({ message }, order) => ({ op: 'delete', order, message })],
  ['text', ({ message }, order) => ({ op: 'text', order, message, text: 'The key is with Mallory.' })],
  ['hide', ({ answer }, order) => ({ op: 'hide', order, answer, hidden: true })],
  ['stop', ({ answer }, order) => ({ op: 'stop', order, answer })],
  ['name', (_, order) => ({ op: 'name', order, name: 'Mallory' })],
  ['rule', (_, order) => ({ op: 'rule', order, rule: 'every-message' })],
  ['read', ({ message }) => ({ op: 'read', heads: [message], missing: [] })],
  ['origin', () => ({ op: 'origin', room: 'cd'.repeat(16) as RoomId })],
]

test.each(ROOM_OPERATIONS)(
  'what a removed device signs late changes nothing for others in a room: %s',
  async (op, make) => {
    await withRoom(`room, ${op}`, async (theft) => {
      const { world, open, fromPhone, bring, remove } = theft
      const late = await fromPhone(make(theft, world.clock.now() + 10))
      const [laptop, tablet] = [await open(LAPTOP), await open(TABLET)]
      const before = laptop.shown()
      await remove(PHONE)
      await bring(LAPTOP, KEEPER, late)
      expect([laptop.shown(), tablet.shown()]).toEqual([before, before])
      for (const each of [laptop, tablet]) await each.close()
      await world.restart(TABLET)
      const again = await open(TABLET)
      expect(again.shown()).toBe(before)
      await again.close()
    })
  },
)

test.each(ROOM_OPERATIONS)(
  'what a device did before it was removed counts also where it comes late: %s',
  async (op, make) => {
    await withRoom(`room, in time, ${op}`, async (theft) => {
      const { world, open, fromPhone, bring, remove, join } = theft
      const happening = await fromPhone(make(theft, world.clock.now() + 10))
      const [laptop, tablet] = [await open(LAPTOP), await open(TABLET)]
      const before = laptop.shown()
      world.network.partition(...world.peers.map((_, index) => [idOf(world, index)]))
      await bring(TABLET, PHONE, happening)
      await remove(PHONE)
      await bring(LAPTOP, KEEPER, happening)
      expect(laptop.shown()).toBe(before)
      await join()
      // nothing goes for good by the word of another
      const [mine, others] = [laptop.shown(), tablet.shown()].map((shown) => JSON.parse(shown) as unknown[])
      expect(mine?.pop()).toBe(0)
      expect(others?.pop()).toBe(op === 'delete' ? 1 : 0)
      expect(mine).toEqual(others)
      expect(JSON.stringify([...(mine ?? []), 0])).not.toBe(before)
      for (const each of [laptop, tablet]) await each.close()
    })
  },
)
