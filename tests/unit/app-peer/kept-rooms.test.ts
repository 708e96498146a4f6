import { expect, test } from 'vitest'
import { ROOM_KEPT_OPEN_MAX_BYTES, ROOMS_KEPT_OPEN_MAX_BYTES, type RoomId } from '../../../mesh/base/index.ts'
import type { Page } from './browser.ts'
import { BOB, openRoomsWorld, ROOM, type RoomsWorld } from './rooms-world.ts'

// A page opens rooms by itself, so that its list is true. What others wrote into them decides how much
// memory that takes: beyond bounds a room is shown as it was seen last.

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
