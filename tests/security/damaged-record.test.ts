import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyFile } from '../../helper/data-dir/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger, type Logger, type Store } from '../../mesh/base/index.ts'
import { openVault } from '../../mesh/seal/index.ts'
import { createChats } from '../../mesh/state/index.ts'
import { startHelperHere, type HelperHere } from '../kit/helper-here.ts'
import { startPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// One bit of one value in the store of a helper is wrong, and everything else is whole:
// tried with every kind of key that a helper leaves behind.

const MESSAGES = ['one', 'two', 'three', 'four', 'five', 'six']
/** Starts after which a chat that was not brought together never will be. */
const TRIES_MAX = 10
const QUESTIONS = ['a question', 'another question', 'a last question']

let root = ''
let whole = ''
let count = 0
let before: Sight
let room = ''
/** The keys of each kind, in their order. */
const keys = new Map<string, string[]>()

/** What is made anew, or can be done without. */
const KINDS = [
  'l!sealed/chats/log/ID!ID',
  'l!sealed/rooms/ID/arrivals!ID',
  'l!sealed/sync/have/ID/log!ID',
  'r!sealed/arrivals/ID',
  'r!sealed/chats/chat/ID',
  'r!sealed/chats/mark/ID',
  'r!sealed/peer/ID',
  'r!sealed/rooms/ID/summary',
  'r!sealed/roster/x',
  'r!sealed/sync/absences',
  'r!sealed/sync/budgets',
  'r!sealed/sync/name/ID',
  'r!sealed/sync/quarantine/ID/ID',
  'r!sealed/trust/authority',
  'r!sealed/webrtc/certificate',
]
/** The same, and read only when something comes of an author who was removed. */
const READ_SELDOM = ['r!sealed/sync/late/ID/ID']
/** Without which a device would be another, in another mesh, or trust whom it does not. */
const KEPT_TWICE = [
  'l!sealed/ledger/ID!ID',
  'l!sealed/second/ledger/ID!ID',
  'r!sealed/identity/key',
  'r!sealed/identity/sealing-key',
  'r!sealed/ledger/current',
  'r!sealed/second/identity/key',
  'r!sealed/second/identity/sealing-key',
  'r!sealed/second/ledger/current',
  'r!vault/slots',
  'r!vault/slots-second',
]
const DOCUMENT_LOG = ['l!sealed/sync/document/ID/log-1!ID']

/** What a person sees of a helper. */
interface Sight {
  readonly room: readonly string[]
  readonly devices: readonly string[]
  /** Hashes of its entries. */
  readonly ledger: readonly string[]
  readonly chats: readonly string[]
}

type Level = ClassicLevel<string, Uint8Array>

async function withLevel<Value>(dataDir: string, work: (level: Level) => Promise<Value>): Promise<Value> {
  const encoding = { keyEncoding: 'utf8', valueEncoding: 'view', compression: false } as const
  const level: Level = new ClassicLevel(join(dataDir, 'store'), encoding)
  try {
    return await work(level)
  } finally {
    await level.close()
  }
}

async function withStore<Value>(dataDir: string, work: (store: Store) => Promise<Value>): Promise<Value> {
  const inner = await openLevelStore(join(dataDir, 'store'))
  const device = createKeyFile(join(dataDir, 'store.key'), systemRandom)
  const vault = await openVault({ inner, device, random: systemRandom, clock: systemClock, alone: (run) => run() })
  try {
    if (vault.state !== 'open') throw new TypeError('the store is locked')
    return await work(vault.store)
  } finally {
    await inner.close()
  }
}

/** A key without what is of one run: `r!sealed/peer/ID`. */
const kindOf = (key: string): string => key.replace(/[0-9a-f]{16,}|(?<=\/)0[0-9a-z]{25,}|(?<=!)\d{16}$/g, 'ID')

function listening(): { readonly log: Logger; readonly told: string[] } {
  const told: string[] = []
  const tell = (message: string, fields: unknown = {}): void => {
    told.push(`${message} ${JSON.stringify(fields)}`)
  }
  const log: Logger = { debug() {}, info() {}, warn: tell, error: tell, child: () => log }
  return { log, told }
}

async function look(helper: HelperHere): Promise<Omit<Sight, 'chats'>> {
  const lines = await helper.local.call('rooms-read', { room })
  const devices = await helper.local.call('devices', {})
  const ledger = await helper.local.call('ledger', {})
  return {
    room: lines.map(({ text }) => text),
    devices: devices.map(({ name, id }) => `${name} ${id}`).sort(),
    ledger: ledger.map(({ hash }) => hash),
  }
}

/** The chats as a person reads them, once they were compared with what the devices share. */
async function chatsIn(dataDir: string, damaged = '', log: Logger = silentLogger): Promise<readonly string[]> {
  if (damaged !== '' && !damaged.includes('chats')) return before.chats
  const read = (): Promise<readonly string[]> =>
    withStore(dataDir, async (store) => {
      const chats = await createChats({ store, clock: systemClock, random: systemRandom, log })
      return chats.list().flatMap(({ id }) => (chats.get(id)?.path ?? []).map(({ text }) => text))
    })
  let texts = await read()
  for (let tries = 0; tries < TRIES_MAX && texts.includes(''); tries++) {
    await (await startHelperHere(dataDir, silentLogger)).stop()
    texts = await read()
  }
  return texts
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-one-bit-'))
  whole = join(root, 'whole')
  const first = await startHelperHere(whole, silentLogger)
  const [phone, tablet] = [await startPeer('phone'), await startPeer('tablet')]
  for (const peer of [phone, tablet]) await peer.mesh.join((await first.makeLink({})).url, { opened: 'by-hand' })
  // a removal is what must not come undone
  const removed = tablet.mesh.self
  room = (await first.local.call('rooms-create', { name: 'Family', people: [] })).id
  for (const text of MESSAGES) await first.local.call('say', { room, text })
  await first.local.call('remove', { device: removed })
  await until(() => phone.mesh.devices().every(({ id }) => id !== removed), { what: 'the removal to arrive' })
  for (const peer of [phone, tablet]) await peer.stop()
  await first.stop()
  await withStore(whole, async (store) => {
    const chats = await createChats({ store, clock: systemClock, random: systemRandom, log: silentLogger })
    const chat = await chats.create()
    let parent = null
    for (const text of QUESTIONS) parent = await chats.addPersonMessage(chat, parent, text)
    // what only a longer or another run leaves: made of anything, for it is to be damaged
    const quarantine = `sync/quarantine/${'0'.repeat(32)}/${'1'.repeat(16)}`
    const late = `sync/late/${'2'.repeat(32)}/${'3'.repeat(16)}`
    for (const key of ['sync/budgets', late, quarantine, `arrivals/${room}`, 'trust/authority', 'roster/x'])
      await store.put(key, new Uint8Array(40))
  })
  // and again, until what is made behind a start is there: the document of the chat, and its mark
  const isMirrored = (): Promise<boolean> =>
    withLevel(whole, async (level) => (await level.keys().all()).some((key) => key.includes('chats/mark/')))
  do {
    const again = await startHelperHere(whole, silentLogger)
    before = { ...(await look(again)), chats: QUESTIONS }
    await again.stop()
  } while (!(await isMirrored()))
  before = { ...before, chats: await chatsIn(whole) }
  expect([before.room, before.chats]).toEqual([MESSAGES, QUESTIONS])
  for (const key of await withLevel(whole, (level) => level.keys().all())) {
    const kind = kindOf(key)
    keys.set(kind, [...(keys.get(kind) ?? []), key])
  }
}, 120_000)
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

async function damagedCopy(key: string): Promise<string> {
  const directory = join(root, String(count++))
  await cp(whole, directory, { recursive: true })
  await withLevel(directory, async (level) => {
    const value = new Uint8Array((await level.get(key)) ?? [])
    const at = value.byteLength >> 1
    value[at] = (value[at] ?? 0) ^ 1
    await level.put(key, value, { sync: true })
  })
  return directory
}

/** Starts over a copy with one wrong bit, and gives what is there, after something was written. */
async function seenWith(key: string): Promise<{ readonly seen: Sight; readonly told: readonly string[] }> {
  const directory = await damagedCopy(key)
  const { log, told } = listening()
  const helper = await startHelperHere(directory, log)
  const seen = await look(helper)
  await helper.local.call('say', { room, text: 'after it' })
  const lines = await helper.local.call('rooms-read', { room })
  expect(lines.map(({ text }) => text)).toEqual([...seen.room, 'after it'])
  await helper.stop()
  return { seen: { ...seen, chats: await chatsIn(directory, key, log) }, told }
}

describe('one wrong bit in the store of a helper', () => {
  test('was tried with every kind of key that there is', () => {
    expect([...keys.keys()].sort()).toEqual(
      [...KINDS, ...READ_SELDOM, ...KEPT_TWICE, ...DOCUMENT_LOG, 'm!first'].sort(),
    )
  })

  test.each(KINDS)('costs nothing of worth where it is in %s, and is told', async (kind) => {
    const { seen, told } = await seenWith(keys.get(kind)?.[0] ?? '')
    expect(seen).toEqual(before)
    expect(told.join('\n')).toMatch(/damaged/)
  })

  test.each(READ_SELDOM)('costs nothing where it is in %s, which a start does not read', async (kind) => {
    const { seen } = await seenWith(keys.get(kind)?.[0] ?? '')
    expect(seen).toEqual(before)
  })

  test.each(KEPT_TWICE)('costs nothing at all where it is in %s, which is kept twice', async (kind) => {
    // of the ledger the newest: among them the removal of a device
    const { seen, told } = await seenWith(keys.get(kind)?.at(-1) ?? '')
    expect(seen).toEqual(before)
    if (!kind.includes('second/ledger/ID') && !kind.includes('slots-second')) expect(told.join('\n')).toMatch(/damaged/)
  })

  test('in the log of a room costs the one message that is in it', async () => {
    const lost: string[] = []
    for (const key of keys.get(DOCUMENT_LOG[0] ?? '') ?? []) {
      const { seen, told } = await seenWith(key)
      const missing = MESSAGES.filter((text) => !seen.room.includes(text))
      expect(missing.length, key).toBeLessThanOrEqual(1)
      lost.push(...missing)
      expect(seen, key).toEqual({ ...before, room: MESSAGES.filter((text) => !missing.includes(text)) })
      expect(told.join('\n'), key).toMatch(/damaged/)
    }
    expect(lost.sort()).toEqual([...MESSAGES].sort())
  })

  test.each(['identity/key', 'identity/sealing-key', 'ledger/current'])(
    'in both places of %s ends the start with a sentence that says what to do',
    async (key) => {
      const directory = await damagedCopy(`r!sealed/${key}`)
      await withLevel(directory, (level) => level.put(`r!sealed/second/${key}`, new Uint8Array(60), { sync: true }))
      await expect(startHelperHere(directory, silentLogger)).rejects.toMatchObject({
        code: 'storage-corrupt',
        message: expect.stringMatching(/The other devices have .* Remove this device .* join anew/) as string,
      })
    },
  )
})
