import { expect, test } from 'vitest'
import { ROOM_KEPT_OPEN_MAX_BYTES, ROOMS_KEPT_OPEN_MAX_BYTES, type RoomId } from '../../../mesh/base/index.ts'
import type { Page } from './browser.ts'
import { ALICE, BOB, openRoomsWorld, ROOM, type RoomsWorld } from './rooms-world.ts'

// A page opens rooms by itself, so that its list is true. What others wrote into them decides how much
// memory that takes: beyond bounds a room is shown as it was seen last. How many rooms others make
// decides nothing: rooms that are not open are looked at in turns.

const MIB = 1024 * 1024

async function scene(): Promise<{ world: RoomsWorld; page: Page; isOpen(room: RoomId): boolean }> {
  const world = await openRoomsWorld()
  const page = await world.browser.openPage()
  await world.calm()
  return { world, page, isOpen: (room) => page.mesh().rooms.rooms.get(room) !== undefined }
}

const rooms = ({ peer }: Page) => peer.rooms.rooms

/** The list changes, and everything that follows from it. */
async function changed({ bob, calm, browser }: RoomsWorld, text: string): Promise<void> {
  await bob.say(ROOM, text)
  await calm()
  await browser.clock.advanceAsync(2_000)
  await calm()
}

test('a room that grew beyond what the page keeps open shows as it was seen last, and opens for who looks', async () => {
  const { world, page, isOpen } = await scene()
  expect(isOpen(ROOM)).toBe(true)
  world.weights.set(ROOM, ROOM_KEPT_OPEN_MAX_BYTES + 1)
  await changed(world, 'the last that was seen')
  expect(isOpen(ROOM)).toBe(false)
  expect(rooms(page).list()[0]?.last?.excerpt).toBe('the last that was seen')
  expect(rooms(page).get(ROOM)).toBeUndefined()

  await rooms(page).open(ROOM)
  await world.calm()
  expect(rooms(page).get(ROOM)?.items.at(-1)).toMatchObject({ text: 'the last that was seen' })
  await rooms(page).close(ROOM)
  await world.calm()
  expect(isOpen(ROOM)).toBe(false)
})

test('a page that starts opens no room that is too large, and tells of it what it told before', async () => {
  const world = await openRoomsWorld()
  const first = await world.browser.openPage()
  await world.calm()
  await changed(world, 'before')
  world.weights.set(ROOM, ROOM_KEPT_OPEN_MAX_BYTES + 1)
  first.tab.kill()
  await world.calm()
  const again = await world.browser.openPage()
  await world.calm()
  expect(rooms(again).list()[0]?.last?.excerpt).toBe('before')
  expect(again.mesh().rooms.rooms.get(ROOM)).toBeUndefined()
})

test('rooms that others make large and keep the newest take no memory without end, and no small room its place', async () => {
  const { world, page, isOpen } = await scene()
  const small = await rooms(page).create({ name: 'Ours', people: [BOB.id], history: 'all' })
  const large: RoomId[] = []
  for (let count = 0; count < 8; count++) {
    const room = await rooms(page).create({ name: `Large ${String(count)}`, people: [BOB.id], history: 'all' })
    world.weights.set(room, 40 * MIB)
    large.push(room)
    await rooms(page).close(room)
  }
  await rooms(page).close(small)
  await changed(world, 'hello')
  const open = large.filter(isOpen)
  expect(open.length * 40 * MIB).toBeLessThanOrEqual(ROOMS_KEPT_OPEN_MAX_BYTES)
  expect(open.length).toBe(3)
  expect([small, ROOM].map(isOpen)).toEqual([true, true])
})

test('what is written into a room is told in the list however many rooms somebody else made', async () => {
  const { world, page, isOpen } = await scene()
  for (let count = 0; count < 40; count++) {
    const room = await world.bob.create({ name: `Pushing ${String(count)}`, people: [ALICE.id], history: 'all' })
    await world.bob.say(room, 'x')
    await world.browser.clock.advanceAsync(10)
  }
  await world.calm()
  await world.browser.clock.advanceAsync(30_000)
  await world.calm()
  expect(isOpen(ROOM)).toBe(false)
  // every one of them is told as it is, those that were never open among them
  expect(
    rooms(page)
      .list()
      .filter(({ unread, last }) => unread === 1 && last?.excerpt === 'x'),
  ).toHaveLength(40)
  for (const word of ['are you there?', 'please answer']) await world.bob.say(ROOM, word)
  await world.calm()
  await world.browser.clock.advanceAsync(2_000)
  await world.calm()
  expect(rooms(page).list()[0]).toMatchObject({ id: ROOM, unread: 2, last: { excerpt: 'please answer' } })
})

test('what came into a room that was not open when the page was killed is told after it starts again', async () => {
  const { world, page } = await scene()
  for (const name of ['one', 'two', 'three']) {
    const room = await rooms(page).create({ name, people: [BOB.id], history: 'all' })
    world.weights.set(room, 40 * MIB)
    await rooms(page).close(room)
  }
  // too large beside those, and heavier than what is looked at in turns
  world.weights.set(ROOM, ROOM_KEPT_OPEN_MAX_BYTES + 1)
  await changed(world, 'before')
  await changed(world, 'meanwhile')
  page.tab.kill()
  world.weights.set(ROOM, ROOM_KEPT_OPEN_MAX_BYTES)
  const again = await world.browser.openPage()
  await world.calm()
  await world.browser.clock.advanceAsync(5_000)
  expect(again.mesh().rooms.rooms.get(ROOM)).toBeUndefined()
  expect(
    rooms(again)
      .list()
      .find(({ id }) => id === ROOM)?.last?.excerpt,
  ).toBe('meanwhile')
})
