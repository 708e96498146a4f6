import { expect, test } from 'vitest'
import { isMeshError, randomInt, type ChatId, type MessageId, type Random } from '../../mesh/base/index.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import type { Chats } from '../../mesh/state/index.ts'
import { encodeOperation, type Operation } from '../../mesh/state/operations.ts'
import { openChatScene, type ChatDevice, type ChatScene } from '../kit/chat-devices.ts'
import { pick } from '../kit/sync-world.ts'
import { figures } from '../unit/state/scene.ts'

const FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const SEEDS = Number(process.env['PLEXUS_SEEDS'] ?? (FULL ? 2_000 : 200))
const STEPS = FULL ? 60 : 14
/** Two that are close, and one whose clock is an hour behind. */
const CLOCKS = [0, 40, -3_600_000]
const THIEF = 2

/** Words that were said in chats that were deleted, and the chats themselves. */
interface Deleted {
  readonly chats: Set<ChatId>
  readonly words: Map<ChatId, string[]>
}

interface Stored {
  readonly messages: readonly {
    readonly id: MessageId
    readonly text: string
    readonly state: string
    readonly edited?: boolean
  }[]
}

const stored = (chats: Chats, chat: ChatId): Stored => JSON.parse(chats.export(chat, 'json')) as Stored

/** Something a person does on one device. */
async function act(chats: Chats, random: Random, step: string, deleted: Deleted): Promise<void> {
  const list = chats.list()
  const words = (chat: ChatId): string => {
    const said = deleted.words.get(chat) ?? []
    const next = `<${step} ${String(said.length)}>`
    deleted.words.set(chat, [...said, next])
    return next
  }
  if (list.length === 0 || randomInt(random, 8) === 0) {
    const chat = await chats.create()
    await chats.addPersonMessage(chat, null, words(chat))
    return
  }
  const { id: chat } = pick(random, list)
  const { messages } = stored(chats, chat)
  const leaf = chats.get(chat)?.path.at(-1)?.id ?? null
  const any = messages.length === 0 ? undefined : pick(random, messages)
  const answerTo = async (question: MessageId): Promise<void> => {
    const writer = await chats.addAnswer(chat, question)
    if (randomInt(random, 4) === 0) return
    writer.append(words(chat))
    await writer.finish({ state: 'done', figures })
  }
  switch (pick(random, ['say', 'say', 'again', 'rename', 'model', 'show', 'delete'] as const)) {
    case 'say':
      await answerTo(await chats.addPersonMessage(chat, leaf, words(chat)))
      return
    case 'again': {
      const question = chats.get(chat)?.path.findLast(({ author }) => author === 'person')
      if (question !== undefined) await answerTo(question.id)
      return
    }
    case 'rename':
      await chats.rename(chat, words(chat))
      return
    case 'model':
      await chats.chooseModel(chat, step as never)
      return
    case 'show':
      if (any !== undefined) await chats.showBranch(chat, any.id)
      return
    case 'delete':
      if (randomInt(random, 3) > 0) return
      deleted.chats.add(chat)
      await chats.delete(chat)
  }
}

/**
 * A stolen device with software of its own: several things under one id, or one of them taken back.
 * @param told its ids, and whether the chat itself is made under them
 */
function lie({ documents, random, clock, devices }: ChatScene, told: Map<string, boolean>, step: number): void {
  const [thief, device] = [documents[THIEF], devices[THIEF]]
  const chat = device?.chats.list()[0]?.id
  if (thief === undefined || device === undefined || chat === undefined) return
  const known = [...told.keys()]
  if (known.length > 0 && randomInt(random, 3) === 0) {
    thief.takeBackOne(chat, pick(random, known))
    return
  }
  const isLife = randomInt(random, 5) === 0
  const alike = known.filter((one) => told.get(one) === isLife)
  const id =
    alike.length > 0 && randomInt(random, 2) === 0 ? pick(random, alike) : entryId(clock.now(), random, device.self)
  told.set(id, isLife)
  const message = pick(random, known.length > 0 ? known : [id]) as MessageId
  const happening = pick<Partial<Operation>>(random, [
    { op: 'say', message, parent: null, text: `lie ${String(step)}` },
    { op: 'title', title: `lie ${String(step)}` },
    { op: 'answer', message, parent: message },
    { op: 'show', message },
  ])
  const order = clock.now() + randomInt(random, 3) * 3_600_000
  const operation = { v: 1, id, at: clock.now(), order, chat, ...(isLife ? { op: 'chat' } : happening) } as Operation
  thief.plant(chat, { id, bytes: encodeOperation(operation) })
}

/** What all devices must agree on. */
function shown(devices: readonly ChatDevice[], but: ReadonlySet<ChatId> = new Set()): unknown[] {
  return devices.map(({ chats }) => {
    const list = chats.list().filter(({ id }) => !but.has(id))
    return list.map(({ id }) => ({ list: { ...chats.get(id) }, tree: stored(chats, id) }))
  })
}

/**
 * An answer that nobody ended reads by where one looks: only that it is open is the same. What a thief changed
 * shows as edited where something else was there first; of honest devices nothing does.
 */
const alike = (given: unknown, isHostile: boolean): unknown =>
  JSON.parse(
    JSON.stringify(given, (key, value: unknown) => {
      if (key === 'elsewhere' || key === 'error' || (isHostile && key === 'edited')) return undefined
      if (key === 'state' || key === 'lastState') return value === 'failed' ? 'waiting' : value
      return value
    }),
  )

async function play(seed: number, isHostile: boolean): Promise<void> {
  const scene = await openChatScene(`chats ${String(seed)}`, CLOCKS)
  const { random, network, clock, devices } = scene
  const deleted: Deleted = { chats: new Set(), words: new Map() }
  const ids = devices.map(({ self }) => self)
  const told = new Map<string, boolean>()
  for (let step = 0; step < STEPS; step++) {
    const index = randomInt(random, devices.length)
    const what = randomInt(random, 12)
    if (what === 0) await scene.restart(index)
    else if (what === 1) network.partition(ids.slice(0, 1), ids.slice(1))
    else if (what === 2) network.partition(...ids.map((id) => [id]))
    else if (what === 3) network.partition()
    else if (what <= 5) network.deliver(randomInt(random, 8))
    else {
      try {
        await act(pick(random, devices).chats, random, `${String(seed)} ${String(step)}`, deleted)
      } catch (error) {
        // another device deleted the chat in the middle of it
        if (!isMeshError(error, 'usage')) throw error
      }
    }
    if (isHostile && randomInt(random, 2) === 0) lie(scene, told, step)
    if (randomInt(random, 6) === 0) await scene.calm()
    clock.advance(randomInt(random, 3))
  }
  network.partition()
  await scene.calm()
  // the thief may make again what was deleted: who was there when it was has dropped its words, others not
  const [first, ...others] = shown(devices, isHostile ? deleted.chats : undefined)
  for (const other of others) expect(alike(other, isHostile), `seed ${String(seed)}`).toEqual(alike(first, isHostile))
  for (const { chats, store, problems } of devices) {
    expect(problems).toEqual([])
    if (isHostile) continue
    for (const chat of deleted.chats) expect(chats.get(chat), `seed ${String(seed)}`).toBe(undefined)
    const said = [...store.data.logs].flatMap(([name, entries]) =>
      name.startsWith('chats/') ? entries.map(({ bytes }) => Buffer.from(bytes).toString()) : [],
    )
    const gone = [...deleted.chats].flatMap((chat) => deleted.words.get(chat) ?? [])
    expect(gone.filter((words) => said.some((text) => text.includes(words)))).toEqual([])
    for (const { id } of chats.list()) {
      const texts = stored(chats, id).messages.flatMap(({ text }) => (text === '' ? [] : [text]))
      expect(stored(chats, id).messages.some(({ edited }) => edited === true)).toBe(false)
      // everything that was said is there, once
      const titles = new Set(deleted.words.get(id))
      expect(new Set(texts).size, `seed ${String(seed)}`).toBe(texts.length)
      expect(texts.every((text) => titles.has(text))).toBe(true)
    }
  }
  for (const { mirror } of devices) await mirror.stop()
}

test(
  `devices of one person that are apart, restart and meet again show the same chats, ${String(SEEDS)} times over`,
  { timeout: FULL ? 600_000 : 120_000 },
  async () => {
    for (let seed = 0; seed < SEEDS; seed++) await play(seed, false)
  },
)

test('also beside a stolen one that signs several things under one id and takes them back', async () => {
  for (let seed = 0; seed < SEEDS / 4; seed++) await play(seed, true)
})
