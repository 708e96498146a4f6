import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import {
  createEvents,
  ENGINE_LOAD_EVERY_MS,
  ENGINE_LOADS_BURST,
  ENGINE_OWN_WAITS_MS,
  ENGINE_PERSON_WAITING_MAX,
  silentLogger,
  type PersonId,
} from '../base/index.ts'
import type { Asker, EngineHost, GenerateEvent, ModelState } from './engine.ts'
import { createTurns } from './turns.ts'

const request = { model: 'm', messages: [{ role: 'user', content: 'hello' }], sampling: {} } as never
const END = { type: 'end' } as unknown as GenerateEvent
const person = (name: string): Asker => ({ person: name as PersonId, isOwn: false })
const OWN: Asker = { person: 'own' as PersonId, isOwn: true }

/** Engines that answer so many at once, each until it is told to end. */
function scene(slots: number, state: ModelState = 'ready') {
  const clock = createVirtualClock()
  const changes = createEvents<void>(() => undefined)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const states = { now: state }
  let counter = 0
  const host: EngineHost = {
    models: () => [{ id: 'm', state: states.now } as never],
    load: () => ({ slots, busy: begun.length, queued: 0 }),
    changes,
    async *generate(_request, { signal }) {
      const name = `${current}#${String(counter++)}`
      begun.push(name)
      await new Promise<void>((resolve, reject) => {
        ends.set(name, resolve)
        signal.addEventListener('abort', () => {
          reject(new Error('stopped'))
        })
      })
      yield END
    },
  }
  const turns = createTurns(host, { clock, log: silentLogger })
  let current = ''
  const asks = new Map<Promise<string>, string>()
  return {
    clock,
    begun,
    turns,
    states,
    changes,
    /** Asks; resolves to how it ended. */
    ask(asker: Asker, signal = new AbortController().signal): Promise<string> {
      const run = async (): Promise<string> => {
        try {
          for await (const event of turns.generate(request, { signal, asker })) {
            if (event.type === 'queued') continue
            if (event.type === 'end') return 'answered'
          }
          return 'nothing'
        } catch (error) {
          return (error as { code?: string }).code ?? String(error)
        }
      }
      current = asker.person ?? 'own'
      const asked = run()
      asks.set(asked, current)
      return asked
    },
    end(name: string): void {
      ends.get(name)?.()
    },
  }
}

/** Lets everything that is due run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a guest with any number of questions leaves a place for the person whose device it is', async () => {
  const { ask, begun } = scene(4)
  for (let count = 0; count < 16; count++) void ask(person('guest'))
  await settled()
  // half of what is lent, as somebody else may come
  expect(begun.length).toBe(2)
  void ask(OWN)
  await settled()
  expect(begun.length).toBe(3)
})

test('other people share what is lent, who has the least first', async () => {
  const { ask, begun, end } = scene(4)
  for (let count = 0; count < 8; count++) void ask(person('a'))
  for (let count = 0; count < 8; count++) void ask(person('b'))
  await settled()
  expect(begun.length).toBe(3)
  void ask(person('c'))
  await settled()
  expect(begun.length).toBe(3)
  const [first = ''] = begun
  end(first)
  await settled()
  expect(begun.length).toBe(4)
})

test('own questions take every place, and go before all who wait', async () => {
  const { ask, begun, end } = scene(2)
  const own = ask(OWN)
  void ask(OWN)
  void ask(person('a'))
  const last = ask(OWN)
  await settled()
  expect(begun.length).toBe(2)
  end(begun[0] ?? '')
  expect(await own).toBe('answered')
  await settled()
  end(begun[2] ?? '')
  expect(await last).toBe('answered')
})

test('where there is one place only, an answer for somebody else gives way in the end', async () => {
  const { ask, clock, begun } = scene(1)
  const guest = ask(person('guest'))
  await settled()
  const own = ask(OWN)
  await settled()
  expect(begun.length).toBe(1)
  clock.advance(ENGINE_OWN_WAITS_MS)
  expect(await guest).toBe('busy')
  await settled()
  expect(begun.length).toBe(2)
  void own
})

test('one person’s waiting questions are few, and keep nobody else from waiting', async () => {
  const { ask, turns } = scene(1)
  void ask(person('a'))
  await settled()
  for (let count = 0; count < ENGINE_PERSON_WAITING_MAX; count++) void ask(person('a'))
  await settled()
  expect(await ask(person('a'))).toBe('busy')
  void ask(person('b'))
  void ask(OWN)
  await settled()
  expect(turns.load().queued).toBe(ENGINE_PERSON_WAITING_MAX + 2)
})

test('who stops waiting keeps no place, and nothing of it is left', async () => {
  const { ask, turns, begun, end } = scene(1)
  void ask(person('a'))
  await settled()
  const stop = new AbortController()
  const gone = ask(person('b'), stop.signal)
  await settled()
  stop.abort()
  expect(await gone).toBe('aborted')
  expect(turns.load().queued).toBe(0)
  void ask(person('c'))
  end(begun[0] ?? '')
  await settled()
  expect(begun.length).toBe(2)
})

describe('a model that is not loaded', () => {
  const all = async ({ ask, begun, end }: ReturnType<typeof scene>, asker: Asker, count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const before = begun.length
      const asked = ask(asker)
      await settled()
      if (begun.length === before) return
      end(begun.at(-1) ?? '')
      await asked
    }
  }

  test('is asked for by another person a few times at once, and then at a pace', async () => {
    const played = scene(8, 'available')
    const { begun, clock } = played
    await all(played, person('a'), 20)
    expect(begun.length).toBe(ENGINE_LOADS_BURST)
    // others have a pace of their own, and this device's person none
    await all(played, person('b'), 1)
    await all(played, OWN, 20)
    expect(begun.length).toBe(ENGINE_LOADS_BURST + 21)
    await clock.advanceAsync(ENGINE_LOAD_EVERY_MS)
    expect(begun.length).toBe(ENGINE_LOADS_BURST + 22)
  })

  test('that came meanwhile keeps nobody waiting', async () => {
    const played = scene(8, 'failed')
    const { begun, states, changes } = played
    await all(played, person('a'), 20)
    states.now = 'ready'
    changes.emit()
    await settled()
    expect(begun.length).toBe(ENGINE_LOADS_BURST + 1)
  })
})
