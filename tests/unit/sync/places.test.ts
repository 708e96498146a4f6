import { expect, test } from 'vitest'
import {
  asId,
  randomInt,
  silentLogger,
  SYNC_CHAINS_MAX,
  SYNC_DOCUMENTS_PER_PERSON_MAX,
  SYNC_WAITING_ALL_MAX_BYTES,
  SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES,
  SYNC_WAITING_ALL_PER_PERSON_MAX_BYTES,
  SYNC_WAITING_MAX_BYTES,
  SYNC_WAITING_PER_AUTHOR_MAX_BYTES,
  SYNC_WAITING_PER_PERSON_MAX_BYTES,
  type DeviceId,
  type DocumentId,
} from '../../../mesh/base/index.ts'
import { loadDeviceKey } from '../../../mesh/identity/index.ts'
import { hasRoomFor } from '../../../mesh/sync/admit.ts'
import { createChains, type Chains } from '../../../mesh/sync/chains.ts'
import { documentKey, type Envelope } from '../../../mesh/sync/envelope.ts'
import type { DocumentName } from '../../../mesh/sync/index.ts'
import { loadNames, type NameList } from '../../../mesh/sync/name-list.ts'
import { createWaiting, createWaitingTotals } from '../../../mesh/sync/waiting.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createTestScopes, scopeOf } from '../../kit/sync-peers.ts'

const random = createSeededRandom('places')
const device = async (): Promise<DeviceId> => (await loadDeviceKey(createMemoryStore(), random)).id
const nameOf = (id: string): DocumentName => ({ id: asId<DocumentId>(id), kind: 'operations', scope: scopeOf('mesh') })

async function listOf(
  self: DeviceId,
  people: ReadonlyMap<DeviceId, string>,
  store = createMemoryStore(),
): Promise<NameList> {
  const writers = { ...createTestScopes(random).writersOf(self), personOf: (one: DeviceId) => people.get(one) }
  const signer = { id: self, sign: async () => new Uint8Array() }
  return loadNames({ store, writers, signer, log: silentLogger }, {})
}

test('a person who filled their places with all their devices has no more, and everybody else has theirs', async () => {
  const [self, phone, mallory, second, bob] = await Promise.all([device(), device(), device(), device(), device()])
  const people = new Map([
    [self, 'alice'],
    [phone, 'alice'],
    [mallory, 'mallory'],
    [second, 'mallory'],
    [bob, 'bob'],
  ])
  const store = createMemoryStore()
  const names = await listOf(self, people, store)
  for (let index = 0; index < SYNC_DOCUMENTS_PER_PERSON_MAX; index++)
    await names.claim(nameOf(`flood-${String(index)}`), index % 2 === 0 ? mallory : second, {})
  for (const list of [names, await listOf(self, people, createMemoryStore(store.data))]) {
    expect([mallory, second, bob, phone, self].map((one) => list.hasPlaceFor(one))).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
    await expect(list.claim(nameOf('more'), second, {})).rejects.toMatchObject({ code: 'too-large' })
  }
  await names.claim(nameOf('own'), self, {})
  // what is there is there, and what goes makes room
  await names.claim(nameOf('flood-0'), mallory, {})
  await names.forget(documentKey(nameOf('flood-0')), {})
  expect(names.hasPlaceFor(mallory)).toBe(true)
}, 120_000)

/** Counts of chains alone, and who may begin another. */
function chainCounts(mayWrite: (author: DeviceId) => boolean = () => true): {
  readonly counts: ReadonlyMap<DeviceId, number>
  readonly total: () => number
  readonly begin: (author: DeviceId) => boolean
  /** How often somebody was asked for. */
  readonly questions: () => number
} {
  const counts = new Map<DeviceId, number>()
  let total = 0
  const chains = {
    ...createChains(),
    all: {
      get size() {
        return total
      },
    } as unknown as Chains['all'],
    countOf: (author: DeviceId) => counts.get(author) ?? 0,
    authors: () => counts,
  }
  let questions = 0
  const personOf = (author: DeviceId): string | undefined => {
    questions += 1
    return author.startsWith('nobody') ? undefined : (author.split(' ')[0] ?? '')
  }
  const begin = (author: DeviceId): boolean => {
    const state = { chains, name: nameOf('chains'), ports: { writers: { personOf, mayWrite } } }
    if (!hasRoomFor(author, state)) return false
    counts.set(author, (counts.get(author) ?? 0) + 1)
    total += 1
    return true
  }
  return { counts, total: () => total, begin, questions: () => questions }
}

const named = (name: string): DeviceId => asId<DeviceId>(name)

test('a device that was stolen leaves the others of its person a share, and what it wrote before comes all the same', () => {
  const phone = named('alice phone')
  let isStolen = false
  const { begin } = chainCounts((author) => author !== phone || !isStolen)
  while (begin(phone));
  isStolen = true
  for (let count = 0; count < 1_000; count++) expect(begin(phone)).toBe(true)
  for (let count = 0; count < 1_000; count++) expect(begin(named('alice laptop'))).toBe(true)
  // all that a thief and its friends can have come late
  while (begin(phone));
  for (let count = 0; count < 1_000; count++) expect(begin(named('alice laptop'))).toBe(true)
})

test('authors who fill a document with chains leave the others a share of it', () => {
  const { total, begin } = chainCounts()
  for (let index = 0; index < 6; index++) while (begin(named(`greedy-${String(index)} phone`)));
  let own = 0
  while (begin(named('honest laptop'))) own += 1
  expect(own).toBeGreaterThan(1_000)
  expect(total()).toBeLessThanOrEqual(SYNC_CHAINS_MAX)
})

test('while a document has room for all, who begins a chain costs nothing for how many wrote in it', () => {
  const { begin, questions } = chainCounts()
  for (let index = 0; index < 500; index++) expect(begin(named(`author-${String(index)} phone`))).toBe(true)
  expect(questions()).toBeLessThan(2 * 500)
})

test('devices that nobody knows have together no more places than one person', () => {
  const { counts, begin } = chainCounts((author) => !author.startsWith('nobody'))
  for (let index = 0; index < 60; index++) while (begin(named(`nobody ${String(index)}`)));
  expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(SYNC_CHAINS_MAX / 4)
  while (begin(named('bob phone')));
  expect(counts.get(named('bob phone'))).toBeGreaterThan(1_000)
})

test('a person who lets devices in and removes them, in any order, has no more places than a quarter', () => {
  for (let run = 0; run < 5; run++) {
    const removed = new Set<DeviceId>()
    const { counts, begin } = chainCounts((author) => !removed.has(author))
    const devices: DeviceId[] = []
    for (let step = 0; step < 60; step++) {
      if (devices.length === 0 || randomInt(random, 3) === 0) devices.push(named(`mallory ${String(step)}`))
      const one = devices[randomInt(random, devices.length)] as DeviceId
      if (randomInt(random, 2) === 0) removed.add(one)
      for (let count = randomInt(random, 20_000); count > 0 && begin(one); count--);
      begin(named('bob phone'))
    }
    const sum = devices.reduce((all, one) => all + (counts.get(one) ?? 0), 0)
    expect(sum).toBeLessThanOrEqual(SYNC_CHAINS_MAX / 4)
    expect(counts.get(named('bob phone'))).toBe(60)
    while (begin(named('carol phone')));
    expect(counts.get(named('carol phone'))).toBeGreaterThan(6_000)
  }
})

const WAITING_BYTES = 2 * 1024

/** What waits in so many documents. The first word of a device's name is its person. */
function waitingIn(documents: number) {
  const personOf = (author: DeviceId): string => author.split(' ')[0] ?? ''
  const totals = createWaitingTotals(personOf)
  const all = Array.from({ length: documents }, () => createWaiting(totals, personOf))
  let sequence = 1
  const add = (document: number, author: DeviceId, count = 1): void => {
    for (let index = 0; index < count; index++) {
      sequence += 1
      const head = { author, sequence, erases: [] }
      const envelope = { head, chain: 1, bytes: new Uint8Array(WAITING_BYTES) } as unknown as Envelope
      all[document]?.add({ envelope, via: author })
    }
  }
  const bytesOf = (document: number, isOf: (author: DeviceId) => boolean = () => true): number =>
    WAITING_BYTES * (all[document]?.all().filter(({ envelope }) => isOf(envelope.head.author)).length ?? 0)
  const sum = (): number => all.reduce((bytes, one) => bytes + one.sizeBytes, 0)
  return { all, add, bytesOf, sum }
}

test('what waits of one author is bounded over all documents, and what is let go of frees its room', () => {
  const { all, add, sum } = waitingIn(40)
  const author = named('mallory phone')
  const fill = (): void => {
    for (const document of all.keys()) add(document, author, 160)
  }
  fill()
  expect(all[0]?.sizeBytes).toBeLessThanOrEqual(SYNC_WAITING_PER_AUTHOR_MAX_BYTES)
  expect(sum()).toBe(SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES)
  for (const one of all) one.clear()
  expect(sum()).toBe(0)
  fill()
  expect(sum()).toBe(SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES)
})

test('a person with many devices lets no more wait than one with two', () => {
  const { all, add, sum } = waitingIn(40)
  for (const document of all.keys())
    for (let device = 0; device < 10; device++) add(document, named(`mallory ${String(device)}`), 64)
  expect(Math.max(...all.map((one) => one.sizeBytes))).toBeLessThanOrEqual(SYNC_WAITING_PER_PERSON_MAX_BYTES)
  expect(sum()).toBeLessThanOrEqual(SYNC_WAITING_ALL_PER_PERSON_MAX_BYTES)
})

test('whoever fills what may wait pushes out nothing of who has little there, of other people or of their own', () => {
  const { all, add, bytesOf, sum } = waitingIn(40)
  const laptop = named('alice laptop')
  const isOwn = (author: DeviceId): boolean => author === laptop
  add(0, laptop)
  const people = ['alice', ...Array.from({ length: 20 }, (_, index) => `mallory-${String(index)}`)]
  for (const document of all.keys())
    for (const person of people)
      for (let device = 0; device < 4; device++) add(document, named(`${person} ${String(device)}`), 10)
  expect(bytesOf(0)).toBeLessThanOrEqual(SYNC_WAITING_MAX_BYTES)
  expect(sum()).toBeGreaterThan(SYNC_WAITING_ALL_MAX_BYTES / 2)
  expect(sum()).toBeLessThanOrEqual(SYNC_WAITING_ALL_MAX_BYTES)
  expect(bytesOf(0, isOwn)).toBe(WAITING_BYTES)
  // and what comes when all is full stays
  add(39, laptop)
  add(39, named('mallory-1 1'), 100)
  expect(bytesOf(39, isOwn)).toBe(WAITING_BYTES)
})
