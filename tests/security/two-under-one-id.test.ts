import { expect, test } from 'vitest'
import {
  asId,
  createEvents,
  silentLogger,
  type ChatId,
  type DeviceId,
  type MessageId,
  type RoomId,
  type ScopeId,
} from '../../mesh/base/index.ts'
import { createChatDocuments } from '../../mesh/chat-documents.ts'
import { roomScope } from '../../mesh/identity/index.ts'
import { openRoomDocument } from '../../mesh/room-documents.ts'
import { encodeRoomEntry } from '../../mesh/room-entries.ts'
import { reconcileChat, startReading } from '../../mesh/state/chat-reconcile.ts'
import { createChats } from '../../mesh/state/create-chats.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import { encodeOperation, type Operation } from '../../mesh/state/operations.ts'
import { createRoomFold } from '../../mesh/state/rooms/fold.ts'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import type { DocumentName } from '../../mesh/sync/index.ts'
import { encode } from '../../mesh/wire/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// A member, or a stolen device, signs two things under one id, in chains of their own: no fork, and nobody is
// blamed. Everybody shows the same of them, whichever came first, after a restart, and when one is taken back.

const idOf = ({ ports }: SyncPeer): DeviceId => ports.signer.id

interface Thief {
  readonly world: SyncWorld
  newId(): string
  /** Entries in a chain of their own. */
  sign(...steps: BackdatedStep[]): Promise<{ readonly chain: number; readonly envelopes: Uint8Array[] }>
  give(index: number, ...chains: { readonly envelopes: Uint8Array[] }[]): Promise<void>
}

/** Two honest devices that do not hear each other, and one that tells them different things. */
async function withThief(seed: string, name: DocumentName, work: (thief: Thief) => Promise<void>): Promise<void> {
  const world = await createSyncWorld(seed, 3)
  try {
    for (const peer of world.peers) world.scopes.grant(idOf(peer), name.scope, ['read', 'write', 'store'])
    await world.scopes.rotate(name.scope)
    const [, , thief] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
    const epoch = await thief.ports.keyring.current(name.scope, {})
    const at = world.clock.now()
    world.network.partition(...world.peers.map((peer) => [idOf(peer)]))
    await work({
      world,
      newId: () => entryId(at, thief.ports.random, idOf(thief)),
      sign: (...steps) => backdatedChain(steps, { ports: thief.ports, document: name, epoch, at }),
      async give(index, ...chains) {
        const { documents } = world.peers[index] as SyncPeer
        const replica = await documents.adopt(name, {})
        for (const { envelopes } of chains) await replica.receive(envelopes, idOf(thief), {})
        documents.release(replica)
      },
    })
  } finally {
    await world.stop()
  }
}

const ROOM = 'ab'.repeat(16) as RoomId
const ROOM_NAME: DocumentName = { id: asId(ROOM), kind: 'operations', scope: asId<ScopeId>(roomScope(ROOM)) }

test('of two operations of a room under one id the same counts everywhere, and the other when it is taken back', async () => {
  await withThief('two in a room', ROOM_NAME, async ({ world, newId, sign, give }) => {
    const order = world.clock.now()
    const [message, words] = [newId() as MessageId, newId()]
    const entry = (id: string, happening: RoomHappening): BackdatedStep => ({
      bytes: encodeRoomEntry({ id, operation: encodeRoomOperation(happening) }),
    })
    const text = (given: string): Promise<{ readonly chain: number; readonly envelopes: Uint8Array[] }> =>
      sign(entry(words, { op: 'text', order, message, text: given }))
    const said = await sign(entry(message, { op: 'say', order, parents: [] }))
    const [yes, no] = [await text('I agree to pay.'), await text('I do not agree.')]
    await give(0, said, yes, no)
    await give(1, said, no, yes)
    const shown = async (): Promise<string[]> => {
      const texts = []
      for (const { documents, syncer, ports } of world.peers.slice(0, 2)) {
        const document = await openRoomDocument({ self: ports.signer.id, documents, syncer, log: silentLogger }, ROOM)
        const fold = createRoomFold()
        for (const [id, stored] of document.operations()) fold.put(id, stored)
        const about = [...(fold.node(message)?.about.values() ?? [])]
        texts.push(about.map(({ operation }) => (operation.op === 'text' ? operation.text : '')).join())
        expect(document.isOneWrite(message, words)).toBe(false)
        await document.close()
      }
      return texts
    }
    const [first, other] = await shown()
    expect(first).toMatch(/agree/)
    expect(other).toBe(first)
    for (const index of [0, 1]) await world.restart(index)
    expect(await shown()).toEqual([first, first])
    const counted = first === 'I agree to pay.' ? yes : no
    const erasing = await sign({ erases: [{ chain: counted.chain, clock: 0, count: 1 }] })
    for (const index of [0, 1]) await give(index, erasing)
    const rest = first === 'I agree to pay.' ? 'I do not agree.' : 'I agree to pay.'
    expect(await shown()).toEqual([rest, rest])
  })
})

const SCOPE = asId<ScopeId>(`person:${'c'.repeat(32)}`)
const CHAT = 'chat1' as ChatId
const CHAT_NAME: DocumentName = { id: asId(`chat-aaaaaaaaaaaa-${CHAT}`), kind: 'operations', scope: SCOPE }

test('of two operations of a chat under one id the same counts on all devices, and the other when it is taken back', async () => {
  await withThief('two in a chat', CHAT_NAME, async ({ world, newId, sign, give }) => {
    const at = world.clock.now()
    const [words, message] = [newId(), newId() as MessageId]
    const entry = (operation: Operation): BackdatedStep => ({
      bytes: encode({ i: operation.id, o: encodeOperation(operation) }),
    })
    const begun = await sign(entry({ v: 1, id: newId(), at, chat: CHAT, op: 'chat' }))
    const say = (text: string): Promise<{ readonly chain: number; readonly envelopes: Uint8Array[] }> =>
      sign(entry({ v: 1, id: words, at, chat: CHAT, op: 'say', message, parent: null, text }))
    const chains = new Map([
      ['account A', await say('account A')],
      ['account B', await say('account B')],
    ])
    const stores = new Map<number, MemoryStore>()
    const take = async (index: number): Promise<string> => {
      const { documents, ports } = world.peers[index] as SyncPeer
      const place = { scope: SCOPE, prefix: 'chat-aaaaaaaaaaaa-', keys: '' }
      const placeChanges = createEvents<void>(() => undefined)
      const self = ports.signer.id
      const chats = createChatDocuments({ self, documents, log: silentLogger, place: () => place, placeChanges })
      const store = stores.get(index) ?? createMemoryStore()
      stores.set(index, store)
      const document = await chats.open(CHAT, {})
      const both = { document, held: startReading(CHAT) }
      for (let pass = 0; pass < 4; pass++) await reconcileChat({ store, log: silentLogger, self }, both, {})
      document.close()
      const { clock } = world
      const shown = await createChats({ store, clock, random: ports.random, log: silentLogger })
      return JSON.stringify(shown.get(CHAT)).match(/account ./)?.[0] ?? ''
    }
    const [yes, no] = [...chains.values()]
    if (yes === undefined || no === undefined) throw new TypeError('two are signed')
    // one by one, and each is taken into the chat before the other comes
    await give(0, begun, yes)
    await give(1, begun, no)
    expect([await take(0), await take(1)]).toEqual(['account A', 'account B'])
    await give(0, no)
    await give(1, yes)
    const first = await take(0)
    expect(first).toMatch(/account/)
    expect([await take(0), await take(1)]).toEqual([first, first])
    for (const index of [0, 1]) await world.restart(index)
    expect([await take(0), await take(1)]).toEqual([first, first])
    const counted = chains.get(first)
    if (counted === undefined) throw new TypeError('one of them is shown')
    const erasing = await sign({ erases: [{ chain: counted.chain, clock: 0, count: 1 }] })
    for (const index of [0, 1]) await give(index, erasing)
    const rest = first === 'account A' ? 'account B' : 'account A'
    expect([await take(0), await take(1)]).toEqual([rest, rest])
  })
})

test('pieces of two operations of a chat under one id are never put together', async () => {
  await withThief('pieces of two', CHAT_NAME, async ({ world, newId, sign, give }) => {
    const id = newId()
    const pieces = (of: readonly string[]): BackdatedStep[] =>
      of.map((text, n) => ({ bytes: encode({ i: id, n, of: of.length, o: new TextEncoder().encode(text) }) }))
    const [one, other] = [await sign(...pieces(['a', 'b', 'c'])), await sign(...pieces(['x', 'y', 'z']))]
    const part = ({ envelopes }: { readonly envelopes: Uint8Array[] }, count: number) => ({
      envelopes: envelopes.slice(0, count),
    })
    await give(0, part(one, 1), part(other, 2), one, other)
    await give(1, part(other, 1), part(one, 2), other, one)
    for (const { documents, ports } of world.peers.slice(0, 2)) {
      const place = { scope: SCOPE, prefix: 'chat-aaaaaaaaaaaa-', keys: '' }
      const placeChanges = createEvents<void>(() => undefined)
      const self = ports.signer.id
      const chats = createChatDocuments({ self, documents, log: silentLogger, place: () => place, placeChanges })
      const document = await chats.open(CHAT, {})
      const whole = [...document.entries()].map(({ bytes }) => new TextDecoder().decode(bytes))
      expect(whole.sort()).toEqual(['abc', 'xyz'])
      document.close()
    }
  })
})
