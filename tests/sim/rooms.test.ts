import { describe, expect, it } from 'vitest'
import { asId, randomInt, ROOM_ORDER_MAX, type DeviceId, type MessageId, type Random } from '../../mesh/base/index.ts'
import { entryId, markOf } from '../../mesh/state/entry-id.ts'
import type { RoomItem } from '../../mesh/state/index.ts'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import { createSeededRandom } from '../kit/random.ts'
import {
  answerWith,
  createRoomScene,
  personId,
  ROOM,
  type RoomMember,
  type RoomScene,
} from '../unit/state/room-scene.ts'

const FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const SEEDS = Number(process.env['PLEXUS_SEEDS'] ?? (FULL ? 1_000 : 20))
const STEPS = FULL ? 120 : 60
const DEVICES = ['alice-phone', 'alice-laptop', 'bob-phone', 'carol-phone', 'mallory-phone'] as const

/** What must be the same on every device: all but what each knows for itself. */
function common(items: readonly RoomItem[]): unknown[] {
  return items.flatMap((item): unknown[] => {
    if (item.kind === 'message') {
      const { id, device, person, state, text, mentions, edited } = item
      return [{ id, device, person, state, text, mentions, edited }]
    }
    if (item.kind === 'answer') {
      const { id, device, asker, question, state, text, figures, hiddenBy, stoppedBy } = item
      return [{ id, device, asker, question, state, text, figures, hiddenBy, stoppedBy }]
    }
    return item.kind === 'gap' ? [item] : []
  })
}

async function act(scene: RoomScene, member: RoomMember, random: Random, step: number): Promise<void> {
  const messages = member.messages()
  const own = messages.filter((item) => item.kind === 'message' && item.own && item.state === 'here')
  const answers = messages.filter((item) => item.kind === 'answer')
  const any = <Value>(values: readonly Value[]): Value | undefined =>
    values[randomInt(random, Math.max(1, values.length))]
  const target = any(own)
  const answer = any(answers)
  switch (randomInt(random, 10)) {
    case 0:
      if (target !== undefined) await member.rooms.edit(ROOM, target.id, `edited ${String(step)}`)
      return
    case 1:
      if (target !== undefined) await member.rooms.delete(ROOM, target.id)
      return
    case 2:
      await member.rooms.rename(ROOM, `room ${String(step)}`)
      return
    case 3:
      if (answer !== undefined) await member.rooms.stop(ROOM, answer.id)
      return
    case 4:
      if (answer !== undefined) await member.rooms.hide(ROOM, answer.id, randomInt(random, 2) === 0)
      return
    case 5:
      member.rooms.markSeen(ROOM, messages.map((item) => item.id).slice(randomInt(random, 4)))
      return
    case 6:
      await member.rooms.say(ROOM, `@ai ${String(step)}`, { mentions: ['ai', personId('bob')] })
      return
    default:
      await member.rooms.say(ROOM, `${member.device} ${String(step)}`)
  }
}

/** What software of a member's own may write: any place, any id that bears its mark, several times, and what it likes as seen. */
function lie(scene: RoomScene, member: RoomMember, random: Random, step: number): void {
  const messages = member.messages()
  const known = [...member.document.operations().keys()]
  const newId = (): MessageId =>
    asId<MessageId>(randomInt(random, 2) === 0 ? entryId(scene.clock.now(), random, member.device) : `${'z'.repeat(10)}${String(step * 10 + randomInt(random, 10)).padStart(16, 'z')}${markOf(member.device)}`) // prettier-ignore
  const some = (ids: readonly string[]): MessageId[] =>
    Array.from({ length: randomInt(random, 4) }, () => ids[randomInt(random, ids.length)] ?? newId()) as MessageId[]
  const orders = [0, scene.clock.now(), scene.clock.now() + 40 * 24 * 3_600_000, ROOM_ORDER_MAX] as const
  const order = orders[randomInt(random, orders.length)] ?? 0
  const [one, other] = [newId(), newId()]
  const answer = messages.findLast((item) => item.kind === 'answer')?.id ?? other
  const lies: Readonly<Record<string, RoomHappening>> = {
    [one]: { op: 'say', order, parents: [...some(messages.map(({ id }) => id)), other] },
    [other]: { op: 'say', order, parents: randomInt(random, 2) === 0 ? [one] : some(known) },
    [newId()]: { op: 'name', order, name: 'Owned', after: some(known) },
    [newId()]: { op: 'rule', order, rule: 'when-asked', after: some(known) },
    [newId()]: { op: 'hide', order, answer, hidden: randomInt(random, 2) === 0, after: some(known) },
    [newId()]: { op: 'text', order, message: pickOwn(member, random) ?? one, text: `words ${String(step)}` },
  }
  const own = [...member.document.operations()].filter(([, { author }]) => author === member.device)
  for (const [fresh, happening] of Object.entries(lies)) {
    if (randomInt(random, 2) === 0) continue
    // under an id that is taken too: others may have answered what stood there
    const [taken] = own[randomInt(random, Math.max(1, own.length))] ?? []
    const id = taken !== undefined && taken > 'zz' && randomInt(random, 2) === 0 ? taken : fresh
    member.document.plant(id, encodeRoomOperation(happening), scene.clock.now())
  }
}

function pickOwn(member: RoomMember, random: Random): MessageId | undefined {
  const own = member.messages().filter(({ device }) => device === member.device)
  return own[randomInt(random, Math.max(1, own.length))]?.id
}

/** What a liar wrote: it may take it back. */
async function takeBack(member: RoomMember, random: Random): Promise<void> {
  const own = [...member.document.operations()].filter(([id, { author }]) => author === member.device && id > 'zz')
  const [id] = own[randomInt(random, Math.max(1, own.length))] ?? []
  if (id === undefined) return
  if (randomInt(random, 2) === 0) await member.document.erase(id)
  else member.document.takeBackOne(id)
}

/** Everybody who writes on is right and stands last, whatever was claimed before. */
async function expectNobodyHasTheLastWord(scene: RoomScene, members: readonly RoomMember[]): Promise<void> {
  for (const member of members.slice(0, 3)) {
    await member.rooms.rename(ROOM, `named by ${member.device}`)
    const last = await member.rooms.say(ROOM, 'last')
    await scene.clock.advanceAsync(10)
    await scene.calm()
    for (const other of members) {
      expect(other.view().name).toBe(`named by ${member.device}`)
      expect(other.messages().at(-1)?.id).toBe(last)
    }
  }
}

describe('rooms on five devices', () => {
  it.each([
    [SEEDS, 'partitions, wrong clocks and any order of delivery', false],
    [Math.ceil(SEEDS / 2), 'the same beside a member who claims any place and to have seen anything', true],
  ])(
    'are the same after %i histories of %s',
    async (seeds, _, isHostile) => {
      for (let seed = 1; seed <= seeds; seed++) {
        const scene = createRoomScene({ seed })
        const random = createSeededRandom(`room ${String(seed)}`)
        const members = new Map<string, RoomMember>()
        for (const device of DEVICES) members.set(device, await scene.member(device))
        const said = new Map<MessageId, DeviceId>()
        const pick = (): RoomMember => {
          const member = members.get(DEVICES[randomInt(random, DEVICES.length)] ?? 'alice-phone')
          if (member === undefined) throw new TypeError('nobody')
          return member
        }
        for (let step = 0; step < STEPS; step++) {
          const member = pick()
          await act(scene, member, random, step)
          const liar = members.get('mallory-phone')
          if (isHostile && liar !== undefined && randomInt(random, 6) === 0) lie(scene, liar, random, step)
          if (isHostile && liar !== undefined && randomInt(random, 20) === 0) await takeBack(liar, random)
          for (const item of member.messages())
            if (item.device === member.device && item.id < 'zz') said.set(item.id, item.device)
          for (const ask of member.asks) if (randomInt(random, 3) === 0) answerWith(ask, [`answer ${String(step)}`])
          if (randomInt(random, 8) === 0) scene.network.part(pick().device, pick().device)
          if (randomInt(random, 16) === 0) scene.network.join()
          if (randomInt(random, 12) === 0) scene.clock.jumpWallClock((randomInt(random, 48) - 24) * 3_600_000)
          // a page that closed without a word
          if (randomInt(random, 30) === 0) members.set(member.device, await scene.member(member.device as never))
          scene.network.deliver(randomInt(random, 40))
          await scene.clock.advanceAsync(randomInt(random, 2_000))
        }
        scene.network.join()
        for (const member of members.values()) for (const ask of member.asks) ask.events.end()
        await scene.clock.advanceAsync(40_000)
        await scene.calm()
        await scene.clock.advanceAsync(5_000)
        await scene.calm()

        const [first, ...others] = [...members.values()]
        if (first === undefined) throw new TypeError('nobody')
        const wanted = { items: common(first.view().items), name: first.view().name }
        expect(wanted.items.length).toBeGreaterThan(10)
        for (const other of others) {
          expect({ items: common(other.view().items), name: other.view().name }, `seed ${String(seed)}`).toEqual(wanted)
        }
        // nothing acknowledged is lost
        const there = new Set(first.messages().map((item) => item.id))
        for (const [id, device] of said) expect(there.has(id), `seed ${String(seed)}, ${id} of ${device}`).toBe(true)
        // who seems to have seen a message holds it
        for (const member of members.values()) {
          for (const item of member.messages()) {
            if (item.kind !== 'message' || item.delivery?.kind !== 'seen') continue
            for (const person of item.delivery.people) {
              const holders = DEVICES.filter((device) => members.get(device)?.rooms.self === person)
              expect(holders.some((device) => members.get(device)?.document.operations().has(item.id))).toBe(true)
            }
          }
        }
        await expectNobodyHasTheLastWord(scene, [first, ...others])
        expect(first.view().health).toEqual({ corruptOperations: 0, newerOperations: 0 })
        expect(asId<DeviceId>(first.device)).toBe(first.device)
      }
    },
    3_600_000,
  )
})
