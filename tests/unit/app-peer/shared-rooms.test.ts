import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AppPeer } from '../../../app/peer/app-peer.ts'
import { ATTENTION_LIFETIME_MS, RUNNING_WITHIN_MS } from '../../../app/peer/remote/limits.ts'
import { isMeshError, MeshError, type MessageId } from '../../../mesh/base/index.ts'
import { end } from './test-mesh.ts'
import type { Page } from './browser.ts'
import { ALICE, BOB, openRoomsWorld, ROOM, type RoomsWorld } from './rooms-world.ts'

interface TwoTabs extends Pick<RoomsWorld, 'calm' | 'bob'> {
  readonly world: RoomsWorld
  /** Leads. */
  readonly a: Page
  /** Follows. */
  readonly b: Page
}

async function openTwoTabs(): Promise<TwoTabs> {
  const world = await openRoomsWorld()
  const a = await world.browser.openPage()
  const b = await world.browser.openPage()
  await world.calm()
  return { world, a, b, calm: world.calm, bob: world.bob }
}

const rooms = (page: { readonly peer: AppPeer }) => page.peer.rooms.rooms
const texts = (page: { readonly peer: AppPeer }): (string | undefined)[] =>
  rooms(page)
    .get(ROOM)
    ?.items.map((item) => ('text' in item ? item.text : item.kind)) ?? []

/** The news told in a profile from now on. */
function overhear(
  world: RoomsWorld,
): { readonly rooms?: { readonly views: readonly { readonly items: unknown[] }[] } }[] {
  const heard: ReturnType<typeof overhear> = []
  world.browser.profile.openTab().channel.subscribe((message) => {
    if ((message as { type?: string }).type === 'told') heard.push(message as (typeof heard)[number])
  })
  return heard
}

describe('rooms before their mesh runs', () => {
  it('are an empty list of which nothing is known, and what is wished waits', async () => {
    const world = await openRoomsWorld()
    const gate = Promise.withResolvers<undefined>()
    world.gate = gate.promise
    const page = await world.browser.openPage()
    expect(rooms(page).list()).toEqual([])
    expect(page.peer.rooms.people()).toEqual([])
    expect(page.peer.rooms.isKnown()).toBe(false)
    const opened = rooms(page).open(ROOM)
    gate.resolve(undefined)
    await opened
    expect(page.peer.rooms.isKnown()).toBe(true)
    expect(
      rooms(page)
        .list()
        .map(({ id }) => id),
    ).toEqual([ROOM])
    expect(rooms(page).get(ROOM)?.items).toEqual([])
    expect(rooms(page).self).toBe(ALICE.id)
  })

  it('say with a failure one can retry when it does not come up', async () => {
    const world = await openRoomsWorld()
    world.gate = new Promise(() => undefined)
    const a = await world.browser.openPage()
    const b = await world.browser.openPage()
    const failures = [a, b].map((page) =>
      expect(rooms(page).open(ROOM)).rejects.toMatchObject({ code: 'offline', retryable: true }),
    )
    await world.browser.clock.advanceAsync(RUNNING_WITHIN_MS + 100)
    await Promise.all(failures)
  })

  it('say so at once when it cannot start', async () => {
    const world = await openRoomsWorld()
    const page = await world.browser.openPage({ failFirst: new MeshError('storage-corrupt', 'Broken.') })
    await expect(rooms(page).say(ROOM, 'hello')).rejects.toMatchObject({ code: 'offline', retryable: true })
  })
})

describe('rooms in a tab that does not hold the peer', () => {
  it('list, open, show what comes as it comes, and say', async () => {
    const { a, b, bob, calm } = await openTwoTabs()
    expect(
      rooms(b)
        .list()
        .map(({ id }) => id),
    ).toEqual([ROOM])
    expect(b.peer.rooms.people()).toEqual([ALICE, BOB])
    await rooms(b).open(ROOM)
    await bob.say(ROOM, 'Who has the big pot?')
    await calm()
    expect(texts(b)).toEqual(['Who has the big pot?'])
    const said = await rooms(b).say(ROOM, 'I have it.')
    // what resolved is in sight
    expect(texts(b)).toEqual(['Who has the big pot?', 'I have it.'])
    expect(rooms(b).get(ROOM)?.items[1]).toMatchObject({ id: said, own: true, delivery: { kind: 'saved' } })
    await calm()
    expect(bob.get(ROOM)?.items).toHaveLength(2)
    expect(rooms(b).get(ROOM)).toEqual(a.mesh().rooms.rooms.get(ROOM))
    expect(await rooms(b).receipts(ROOM, said)).toMatchObject({ devices: [{ holds: true }, { holds: true }] })
    expect((await rooms(b).search('big POT')).found).toHaveLength(1)
    expect(b.peer.rooms.person(BOB.id)).toEqual(BOB)
    expect(b.peer.rooms.device(rooms(b).get(ROOM)?.items[1]?.['device' as never] as never)).toMatchObject({
      name: 'Browser',
    })
  })

  it('edit, delete, hide, rename and make rooms, and fail as the leading tab fails', async () => {
    const { a, b, bob, calm } = await openTwoTabs()
    await rooms(b).open(ROOM)
    const one = await rooms(b).say(ROOM, 'one')
    const two = await rooms(b).say(ROOM, 'two')
    await rooms(b).edit(ROOM, one, 'uno')
    await rooms(b).delete(ROOM, two)
    await rooms(b).rename(ROOM, 'Kitchen')
    await rooms(b).setRule(ROOM, 'every-message')
    expect(texts(b)).toEqual(['uno', ''])
    expect(rooms(b).get(ROOM)).toMatchObject({ name: 'Kitchen', rule: 'every-message' })
    const made = await rooms(b).create({ name: 'Cabin', people: [BOB.id], history: 'joining' })
    await calm()
    expect(rooms(b).get(made)).toMatchObject({ name: 'Cabin', people: [ALICE.id, BOB.id] })
    expect(rooms(a).list()).toEqual(rooms(b).list())
    const foreign = await bob.say(ROOM, 'mine')
    await calm()
    await expect(rooms(b).edit(ROOM, foreign, 'yours')).rejects.toMatchObject({
      name: 'MeshError',
      code: 'unauthorized',
    })
    await expect(rooms(b).open('nowhere' as typeof ROOM)).rejects.toMatchObject({ code: 'usage' })
  })

  it('shows an answer growing, by what grew alone', async () => {
    const { world, b, calm } = await openTwoTabs()
    await rooms(b).open(ROOM)
    for (let line = 0; line < 60; line++) await rooms(b).say(ROOM, `line ${String(line)}`)
    await rooms(b).say(ROOM, 'What now, @ai?', { mentions: ['ai'] })
    await calm()
    const heard = overhear(world)
    let shown = ''
    for (const word of ['Boil ', 'the ', 'water.']) {
      world.asks[0]?.push({ type: 'text', text: word, tokenCount: 1 })
      await calm()
      shown += word
      expect(rooms(b).get(ROOM)?.items.at(-1)).toMatchObject({ kind: 'answer', state: 'streaming', text: shown })
    }
    world.asks[0]?.push(end)
    world.asks[0]?.end()
    await calm()
    expect(rooms(b).get(ROOM)?.items.at(-1)).toMatchObject({ state: 'done', text: shown })
    const lines = heard.flatMap((told) => told.rooms?.views ?? []).map((view) => view.items.length)
    expect(lines.length).toBeGreaterThan(3)
    expect(Math.max(...lines)).toBeLessThanOrEqual(2)
  })

  it('is told the names, and what is unread, of rooms that nobody has opened', async () => {
    const { world, a, b, bob, calm } = await openTwoTabs()
    await bob.rename(ROOM, 'Kitchen')
    await bob.say(ROOM, 'Anybody?')
    await calm()
    // the list is written a moment later
    await world.browser.clock.advanceAsync(3_000)
    for (const page of [a, b]) {
      expect(rooms(page).list()).toMatchObject([{ name: 'Kitchen', unread: 1, last: { excerpt: 'Anybody?' } }])
    }
    expect((await rooms(b).search('anybody')).found).toHaveLength(1)
  })

  it('is told of no room that it does not have open', async () => {
    const { world, a, b, bob, calm } = await openTwoTabs()
    await rooms(a).open(ROOM)
    const heard = overhear(world)
    await bob.say(ROOM, 'a word')
    await calm()
    expect(texts(a)).toEqual(['a word'])
    expect(rooms(b).get(ROOM)).toBeUndefined()
    expect(heard.flatMap((told) => told.rooms?.views ?? [])).toEqual([])
  })

  it('gives a tab that opens a room late all of it, and leaves the others what they have', async () => {
    const { world, b, bob, calm } = await openTwoTabs()
    await rooms(b).open(ROOM)
    await bob.say(ROOM, 'first')
    await calm()
    const c = await world.browser.openPage()
    await calm()
    await rooms(c).open(ROOM)
    await bob.say(ROOM, 'second')
    await calm()
    expect(texts(c)).toEqual(['first', 'second'])
    expect(texts(b)).toEqual(['first', 'second'])
  })

  it('reads marks for the profile: what was on one tab’s screen is read in the other', async () => {
    const { b, a, bob, calm } = await openTwoTabs()
    await rooms(a).open(ROOM)
    await rooms(b).open(ROOM)
    const said = await bob.say(ROOM, 'Look!')
    await calm()
    expect(rooms(b).get(ROOM)?.unread).toBe(1)
    rooms(b).markSeen(ROOM, [said])
    await calm()
    expect(rooms(a).get(ROOM)?.unread).toBe(0)
    expect(rooms(b).get(ROOM)?.unread).toBe(0)
  })
})

describe('who has a room before them', () => {
  it('is there while any tab looks, and writes while any tab writes', async () => {
    const { world, a, b, bob, calm } = await openTwoTabs()
    for (const page of [a, b]) await rooms(page).open(ROOM)
    rooms(a).attend(ROOM, 'here')
    await calm()
    rooms(b).attend(ROOM, 'typing')
    await world.browser.clock.advanceAsync(3_000)
    await calm()
    expect(bob.get(ROOM)).toMatchObject({ present: [ALICE.id], typing: [ALICE.id] })
    rooms(b).attend(ROOM, 'away')
    await world.browser.clock.advanceAsync(3_000)
    await calm()
    expect(bob.get(ROOM)).toMatchObject({ present: [ALICE.id], typing: [] })
  })

  it('is gone when the only tab that looked died without a word', async () => {
    const { world, b, bob, calm } = await openTwoTabs()
    await rooms(b).open(ROOM)
    rooms(b).attend(ROOM, 'here')
    await calm()
    expect(bob.get(ROOM)?.present).toEqual([ALICE.id])
    // alive, it stays however long
    await world.browser.clock.advanceAsync(2 * ATTENTION_LIFETIME_MS)
    await calm()
    expect(bob.get(ROOM)?.present).toEqual([ALICE.id])
    b.tab.kill()
    await world.browser.clock.advanceAsync(ATTENTION_LIFETIME_MS + 1_000)
    await calm()
    expect(bob.get(ROOM)?.present).toEqual([])
  })
})

describe('rooms while the peer moves', () => {
  it('stay readable, and go on in the tab that leads next', async () => {
    const { world, a, b, bob, calm } = await openTwoTabs()
    await rooms(b).open(ROOM)
    await bob.say(ROOM, 'before')
    await calm()
    const gate = Promise.withResolvers<undefined>()
    world.gate = gate.promise
    await a.peer.close()
    await calm()
    expect(b.peer.state().mesh).toBeUndefined()
    expect(texts(b)).toEqual(['before'])
    expect(
      rooms(b)
        .list()
        .map(({ id }) => id),
    ).toEqual([ROOM])
    const said = rooms(b).say(ROOM, 'meanwhile')
    await bob.say(ROOM, 'meanwhile, too')
    gate.resolve(undefined)
    await calm()
    await said
    await calm()
    // nobody opened it again by hand
    expect(texts(b).sort()).toEqual(['before', 'meanwhile', 'meanwhile, too'])
  })

  it('open again for the tabs that follow the next one', async () => {
    const { world, a, b, bob, calm } = await openTwoTabs()
    const c = await world.browser.openPage()
    for (const page of [b, c]) await rooms(page).open(ROOM)
    await a.peer.close()
    await calm()
    await bob.say(ROOM, 'after')
    await calm()
    expect(texts(b)).toEqual(['after'])
    expect(texts(c)).toEqual(['after'])
  })

  it.each(['a message', 'a question'] as const)(
    'say %s once when the leading tab dies right after it was stored',
    async (what) => {
      const { world, a, b, bob, calm } = await openTwoTabs()
      await rooms(b).open(ROOM)
      world.onWrite = (tab) => {
        world.onWrite = undefined
        tab.kill()
      }
      const mentions = what === 'a question' ? (['ai'] as const) : []
      const said = rooms(b).say(ROOM, 'once', { mentions })
      await calm()
      expect(a.tab.alive()).toBe(false)
      await world.browser.clock.advanceAsync(15_000)
      await said
      await calm()
      expect(texts(b).filter((text) => text === 'once')).toHaveLength(1)
      expect(bob.get(ROOM)?.items.filter((item) => item.kind === 'message')).toHaveLength(1)
    },
  )

  it('never make two rooms of one wish', async () => {
    const { world, b, calm } = await openTwoTabs()
    world.onWrite = (tab) => {
      world.onWrite = undefined
      tab.kill()
    }
    const made = expect(rooms(b).create({ name: 'Cabin', people: [], history: 'all' })).rejects.toMatchObject({
      code: 'peer-gone',
      retryable: true,
    })
    await calm()
    await world.browser.clock.advanceAsync(15_000)
    await made
    await calm()
    expect(rooms(b).list()).toHaveLength(2)
  })
})

type Step =
  | { readonly do: 'say' | 'edit' | 'delete'; readonly who: 'a' | 'b' | 'bob' }
  | { readonly do: 'freeze' | 'thaw' | 'pass' | 'token' }

const step = fc.oneof(
  fc.record({
    do: fc.constantFrom('say' as const, 'edit' as const, 'delete' as const),
    who: fc.constantFrom('a' as const, 'b' as const, 'bob' as const),
  }),
  fc.record({ do: fc.constantFrom('freeze' as const, 'thaw' as const, 'pass' as const, 'token' as const) }),
)

describe('what a following tab shows', () => {
  it('is what the leading tab shows, after any history', async () => {
    const numRuns = process.env['PLEXUS_TEST_FULL'] === '1' ? 300 : 25
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { world, a, b, bob, calm } = await openTwoTabs()
        for (const page of [a, b]) await rooms(page).open(ROOM)
        await rooms(a).say(ROOM, 'What now, @ai?', { mentions: ['ai'] })
        let frozen = false
        let count = 0
        for (const each of steps) {
          if (each.do === 'freeze' || each.do === 'thaw') {
            frozen = each.do === 'freeze'
            if (frozen) b.tab.freeze()
            else await b.tab.thaw()
          } else if (each.do === 'pass') await calm()
          else if (each.do === 'token')
            world.asks[0]?.push({ type: 'text', text: `t${String(count++)} `, tokenCount: 1 })
          else if ('who' in each && !(each.who === 'b' && frozen)) await act(each, `w${String(count++)}`)
        }
        await b.tab.thaw()
        await calm()
        expect(rooms(b).get(ROOM)).toEqual(rooms(a).get(ROOM))
        expect(rooms(b).list()).toEqual(rooms(a).list())

        async function act({ do: what, who }: Extract<Step, { who: string }>, text: string): Promise<void> {
          const own = who === 'bob' ? bob : rooms(who === 'a' ? a : b)
          const mine = (own.get(ROOM)?.items ?? []).flatMap((item): MessageId[] =>
            item.kind === 'message' && item.own && item.state === 'here' ? [item.id] : [],
          )
          const last = mine.at(-1)
          if (what === 'say' || last === undefined) {
            await own.say(ROOM, text)
            return
          }
          const changed = what === 'edit' ? own.edit(ROOM, last, text) : own.delete(ROOM, last)
          // the tab that follows may not know yet that the other deleted it: it is told so
          await changed.catch((error: unknown) => {
            if (who !== 'b' || !isMeshError(error, 'usage')) throw error
            expect(error.message).toBe('This message was deleted.')
          })
        }
      }),
      { numRuns },
    )
  })
})
