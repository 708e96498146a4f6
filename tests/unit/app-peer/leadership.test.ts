import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLeadership, type Leadership } from '../../../app/peer/leadership.ts'
import { silentLogger } from '../../../mesh/base/index.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../kit/clock.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createProfile, type Profile, type Tab } from './tabs.ts'

interface Player {
  readonly tab: Tab
  readonly leadership: Leadership
  /** `begin 3`, `released`, `fenced`. */
  readonly story: string[]
  /** True between a begin and its end. */
  active: boolean
}

/** The epoch as the store of the profile has it. */
interface Shelf {
  epoch: number
}

let seed = 1
function openPlayer(profile: Profile, shelf: Shelf, options: { endTakes?: Promise<void> } = {}): Player {
  const tab = profile.openTab()
  const story: string[] = []
  const leadership = createLeadership(
    {
      ...tab,
      random: createSeededRandom(seed++),
      log: silentLogger,
      readEpoch: () => Promise.resolve(shelf.epoch),
      writeEpoch: (epoch) => {
        shelf.epoch = epoch
        return Promise.resolve()
      },
    },
    {
      begin(epoch) {
        if (!tab.alive()) return
        player.active = true
        story.push(`begin ${String(epoch)}`)
      },
      async end(reason) {
        story.push(reason)
        player.active = false
        await options.endTakes
      },
    },
  )
  const player: Player = { tab, leadership, story, active: false }
  return player
}

function scene(): { clock: VirtualClock; profile: Profile; shelf: Shelf } {
  const clock = createVirtualClock()
  return { clock, profile: createProfile(clock), shelf: { epoch: 0 } }
}

const roles = (players: readonly Player[]): string[] => players.map(({ leadership }) => leadership.state().role)

describe('leadership', () => {
  it('is with the first tab; the others follow', async () => {
    const { clock, profile, shelf } = scene()
    const a = openPlayer(profile, shelf)
    await clock.advanceAsync(10)
    const b = openPlayer(profile, shelf)
    await clock.advanceAsync(10)
    expect(roles([a, b])).toEqual(['leader', 'follower'])
    expect(b.leadership.state().epoch).toBe(1)
    expect(b.story).toEqual([])
  })

  it('passes to the next tab by itself when the leading one is closed or dies', async () => {
    const { clock, profile, shelf } = scene()
    const [a, b, c] = [openPlayer(profile, shelf), openPlayer(profile, shelf), openPlayer(profile, shelf)]
    await clock.advanceAsync(10)
    await a.leadership.close()
    await clock.advanceAsync(10)
    expect(roles([b, c])).toEqual(['leader', 'follower'])
    b.tab.kill()
    await clock.advanceAsync(10)
    expect(c.leadership.state()).toMatchObject({ role: 'leader', epoch: 3 })
    expect(a.story).toEqual(['begin 1', 'released'])
  })

  it('moves to the tab that is asked for, past others that waited longer, once the leader has written everything down', async () => {
    const { clock, profile, shelf } = scene()
    const written = Promise.withResolvers<void>()
    const a = openPlayer(profile, shelf, { endTakes: written.promise })
    await settle()
    const [b, c] = [openPlayer(profile, shelf), openPlayer(profile, shelf)]
    await clock.advanceAsync(10)
    const moved = c.leadership.takeOver()
    await clock.advanceAsync(10)
    expect(roles([a, b, c])).toEqual(['leader', 'follower', 'moving'])
    expect(c.story).toEqual([])
    written.resolve()
    await settle()
    await moved
    expect(roles([a, b, c])).toEqual(['follower', 'follower', 'leader'])
    expect(a.story).toEqual(['begin 1', 'released'])
    await clock.advanceAsync(10_000)
    expect(roles([a, b, c])).toEqual(['follower', 'follower', 'leader'])
    await c.leadership.close()
    await clock.advanceAsync(10_000)
    expect(roles([a, b]).filter((role) => role === 'leader')).toHaveLength(1)
  })

  it('is taken from a frozen leader after 3 s, which fences itself when it wakes', async () => {
    const { clock, profile, shelf } = scene()
    const a = openPlayer(profile, shelf)
    await settle()
    const b = openPlayer(profile, shelf)
    await clock.advanceAsync(10)
    a.tab.freeze()
    const moved = b.leadership.takeOver()
    await clock.advanceAsync(2_900)
    expect(b.leadership.state().role).toBe('moving')
    await clock.advanceAsync(200)
    await moved
    expect(b.leadership.state()).toMatchObject({ role: 'leader', epoch: 2 })
    expect(a.active).toBe(true)
    await a.tab.thaw()
    await settle()
    expect(a.story).toHaveLength(2)
    expect(a.active).toBe(false)
    expect(roles([a, b])).toEqual(['follower', 'leader'])
    await b.leadership.close()
    await clock.advanceAsync(5_000)
    expect(a.leadership.state()).toMatchObject({ role: 'leader', epoch: 3 })
  })

  it('is given up on hearing of a later epoch, also when the browser never told that the lock is lost', async () => {
    const { clock, profile, shelf } = scene()
    const a = openPlayer(profile, shelf)
    await clock.advanceAsync(10)
    const stranger = profile.openTab()
    stranger.channel.post({ type: 'leading', tab: 'zz', epoch: 7 })
    await settle()
    // in truth nobody else had the lock here, so it leads again, with an epoch above the one it heard of
    expect(a.story).toEqual(['begin 1', 'fenced', 'begin 8'])
  })

  it('is called silent only after a question stayed unanswered, and not any more once it answers', async () => {
    const { clock, profile, shelf } = scene()
    const a = openPlayer(profile, shelf)
    await settle()
    const b = openPlayer(profile, shelf)
    await clock.advanceAsync(30_000)
    expect(b.leadership.state().leaderSilent).toBe(false)
    a.tab.freeze()
    await clock.advanceAsync(9_000)
    expect(b.leadership.state().leaderSilent).toBe(true)
    await a.tab.thaw()
    await clock.advanceAsync(2_000)
    expect(b.leadership.state().leaderSilent).toBe(false)
    expect(roles([a, b])).toEqual(['leader', 'follower'])
  })

  it('goes to the later tap when two tabs are asked for at once; the other hears why not', async () => {
    const { clock, profile, shelf } = scene()
    const a = openPlayer(profile, shelf)
    await settle()
    const [b, c] = [openPlayer(profile, shelf), openPlayer(profile, shelf)]
    await clock.advanceAsync(10)
    a.tab.freeze()
    const first = b.leadership.takeOver()
    const refused = expect(first).rejects.toMatchObject({ code: 'conflict' })
    await clock.advanceAsync(100)
    const second = c.leadership.takeOver()
    await clock.advanceAsync(5_000)
    await refused
    await second
    await a.tab.thaw()
    await clock.advanceAsync(10_000)
    expect(roles([a, b, c])).toEqual(['follower', 'follower', 'leader'])
  })

  it('does not care for nonsense on the channel', async () => {
    const { clock, profile, shelf } = scene()
    const a = openPlayer(profile, shelf)
    await clock.advanceAsync(10)
    const stranger = profile.openTab()
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.record({
            type: fc.constantFrom('leading', 'ping'),
            tab: fc.string(),
            epoch: fc.constantFrom(-1, 0.5, NaN, '9'),
          }),
        ),
        (message) => {
          try {
            stranger.channel.post(message)
          } catch (error) {
            // what cannot be cloned cannot be posted either
            expect((error as Error).name).toBe('DataCloneError')
          }
        },
      ),
      { numRuns: 200 },
    )
    await settle()
    expect(a.story).toEqual(['begin 1'])
  })

  it('ends with exactly one leader after any interleaving of opening, closing, freezing, dying and moving', async () => {
    const step = fc.record({
      what: fc.constantFrom('open', 'close', 'kill', 'freeze', 'thaw', 'take', 'take', 'wait'),
      who: fc.nat({ max: 5 }),
      waitMs: fc.constantFrom(0, 0, 1, 50, 1_000, 2_999, 3_001, 8_000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const { clock, profile, shelf } = scene()
        let players = [openPlayer(profile, shelf)]
        const all = [...players]
        for (const { what, who, waitMs } of steps) {
          const player = players[who % Math.max(1, players.length)]
          if (what === 'open' || player === undefined) {
            const opened = openPlayer(profile, shelf)
            players.push(opened)
            all.push(opened)
          } else if (what === 'close' || what === 'kill') {
            players = players.filter((each) => each !== player)
            await player.tab.thaw()
            if (what === 'close') player.leadership.close().catch(() => undefined)
            else player.tab.kill()
          } else if (what === 'freeze') player.tab.freeze()
          else if (what === 'thaw') await player.tab.thaw()
          else if (what === 'take') player.leadership.takeOver().catch(() => undefined)
          await clock.advanceAsync(waitMs)
        }
        await Promise.all(players.map(({ tab }) => tab.thaw()))
        await clock.advanceAsync(30_000)
        if (players.length > 0) {
          expect(roles(players).filter((role) => role === 'leader')).toHaveLength(1)
          expect(roles(players).filter((role) => role === 'follower')).toHaveLength(players.length - 1)
          expect(players.filter(({ active }) => active)).toHaveLength(1)
        }
        // no epoch was led twice
        const epochs = all.flatMap(({ story }) => story.filter((line) => line.startsWith('begin')))
        expect(new Set(epochs).size).toBe(epochs.length)
      }),
      { numRuns: 200 },
    )
  })
})
