import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyFile, readCredential } from '../../helper/data-dir/index.ts'
import { createLocalClient, pictureWords, type LocalClient } from '../../helper/local/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { randomInt, silentLogger } from '../../mesh/base/index.ts'
import { openKeys } from '../../mesh/identity/epoch-boxes.ts'
import { loadDeviceKey, loadMembership, loadSealingKey } from '../../mesh/identity/index.ts'
import { openVault } from '../../mesh/seal/index.ts'
import { makeTempDir, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { createSeededRandom } from '../kit/random.ts'
import { createLastingHelper, type LastingHelper } from '../kit/room-helpers.ts'
import { until } from '../kit/wait.ts'

// Helpers without a browser, as full members of rooms: processes that know of each other only by links.

const FULL = process.env['PLEXUS_TEST_FULL'] === '1'

interface Line {
  readonly id: string
  readonly author: string
  readonly text: string
  readonly state: string
  readonly imported?: { readonly author: string; readonly writtenAt: number }
}

describe('three helpers', () => {
  let temp: Awaited<ReturnType<typeof makeTempDir>>
  const helpers: HelperProcess[] = []
  beforeAll(async () => {
    temp = await makeTempDir()
    for (const name of ['alice', 'bob', 'carol', 'dave']) {
      helpers.push(await startHelper({ dataDir: join(temp.path, name), args: ['--name', name] }))
    }
  })
  afterAll(async () => {
    await Promise.all(helpers.map((helper) => helper.stop()))
    await temp.remove()
  })
  const helper = (index: number): HelperProcess => helpers[index] as HelperProcess

  const jsonOf = async (from: HelperProcess, ...args: string[]): Promise<unknown> =>
    (await from.cli([...args, '--json'])).json
  const read = async (from: HelperProcess, room: string): Promise<readonly Line[]> => {
    const lines = await jsonOf(from, 'read', room)
    return Array.isArray(lines) ? (lines as Line[]) : []
  }
  const textsOf = async (from: HelperProcess, room: string): Promise<string[]> =>
    (await read(from, room)).map((line) => line.text)

  test('make a room, write into it and read it in the same order', async () => {
    const [alice, bob, carol] = [helper(0), helper(1), helper(2)]
    for (const [joining, name] of [
      [bob, 'Bob'],
      [carol, 'Carol'],
    ] as const) {
      const { url } = (await jsonOf(alice, 'invite', '--person', name)) as { url: string }
      expect(await jsonOf(joining, 'join', url)).toMatchObject({ admitted: true })
    }
    const made = await jsonOf(alice, 'rooms', 'create', 'Cabin', '--person', 'Bob', '--person', 'Carol')
    expect(made).toEqual({ id: expect.any(String) as string, name: 'Cabin', unread: 0 })
    for (const one of [bob, carol]) {
      await until(async () => JSON.stringify(await jsonOf(one, 'rooms')).includes('Cabin'), { what: 'the room' })
    }
    const said = await Promise.all(
      [alice, bob, carol].map((one, index) => jsonOf(one, 'say', 'Cabin', `Word ${String(index)} zephyranthes.`)),
    )
    for (const one of said) expect(one).toEqual({ id: expect.any(String) as string, state: 'saved' })
    const [first, ...others] = await Promise.all(
      [alice, bob, carol].map((one) =>
        until(
          async () => {
            const lines = await read(one, 'Cabin')
            return lines.length === 3 && lines
          },
          { what: 'all three messages' },
        ),
      ),
    )
    for (const lines of others) expect(lines.map(({ id, text }) => [id, text])).toEqual(first?.map(({ id, text }) => [id, text])) // prettier-ignore
    expect(first?.map(({ author }) => author).sort()).toEqual(['Bob', 'Carol', 'alice'])
    expect(first?.map(({ id }) => id).sort()).toEqual(said.map((one) => (one as Line).id).sort())
  })

  test('write what was said into a file, which a fresh one takes in, once', async () => {
    const [, bob, , dave] = helpers as [HelperProcess, HelperProcess, HelperProcess, HelperProcess]
    const file = join(temp.path, 'everything.plexus')
    const [right, wrong] = [join(temp.path, 'right'), join(temp.path, 'wrong')]
    await writeFile(right, 'a heron in the rain\n')
    await writeFile(wrong, 'a heron in the sun\n')
    const wanted = await read(bob, 'Cabin')
    const made = await jsonOf(bob, 'export', file, '--passphrase-file', right)
    expect(made).toEqual({ file, sizeBytes: (await stat(file)).size })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await readFile(file)).includes('zephyranthes')).toBe(false)

    const refused = await dave.cli(['import', file, '--passphrase-file', wrong, '--json'])
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'passphrase-wrong' } } })
    const cut = join(temp.path, 'cut.plexus')
    await writeFile(cut, (await readFile(file)).subarray(0, -1))
    const damaged = await dave.cli(['import', cut, '--passphrase-file', right, '--json'])
    expect(damaged).toMatchObject({ code: 1, json: { error: { code: 'integrity' } } })
    expect(await jsonOf(dave, 'rooms')).toEqual([])

    expect(await jsonOf(dave, 'import', file, '--passphrase-file', right)).toEqual({ rooms: 1, chats: 0 })
    expect(await jsonOf(dave, 'import', file, '--passphrase-file', right)).toEqual({ rooms: 0, chats: 0 })
    expect(await jsonOf(dave, 'rooms')).toMatchObject([{ name: 'Cabin', unread: 0 }])
    const lines = await read(dave, 'Cabin')
    expect(lines.map(({ text, imported }) => [text, imported?.author])).toEqual(
      wanted.map(({ text, author }) => [text, author]),
    )
    expect(lines.every(({ author }) => author === 'dave')).toBe(true)
    // it goes along into another mesh
    const { url } = (await jsonOf(helper(0), 'invite', '--person', 'Dave')) as { url: string }
    // it has something to lose: nothing is joined before both sides saw the same pictures
    const credential = await readCredential(dave.dataDir)
    if (credential === undefined) throw new TypeError('Dave’s helper does not run')
    const client = createLocalClient(credential)
    const shown: (readonly string[])[] = []
    const joining = client.call(
      'join',
      { url },
      { onEvent: ({ pictures }) => shown.push(...(pictures === undefined ? [] : [pictureWords(pictures)])) },
    )
    const waiting = await until(
      async () => {
        const [join] = (await jsonOf(helper(0), 'joins')) as { device: string; pictures: readonly string[] }[]
        return shown.length === 0 ? undefined : join
      },
      { what: 'the pictures on both sides' },
    )
    expect(waiting.pictures).toEqual(shown[0])
    expect((await jsonOf(dave, 'rooms')) as unknown[]).toHaveLength(1)
    await client.call('join-agree', { url, matches: true })
    expect(await jsonOf(helper(0), 'joins', 'match', waiting.device)).toMatchObject({ admitted: true })
    expect(await joining).toMatchObject({ admitted: true })
    await until(async () => (await textsOf(dave, 'Cabin')).length === 3, { what: 'the room to come along' })
  })

  test('who is removed is cut off and reads nothing that is written later, and no directory gives anything away', async () => {
    const [alice, bob, carol] = [helper(0), helper(1), helper(2)]
    const ids = (await read(bob, 'Cabin')).length
    expect((await alice.cli(['remove', 'Carol', '--json'])).code).toBe(0)
    expect((await alice.cli(['say', 'Cabin', 'Now I can say it: cinchona.', '--json'])).code).toBe(0)
    await until(async () => (await read(bob, 'Cabin')).length === ids + 1, { what: 'Bob to read it' })
    expect((await carol.cli(['say', 'Cabin', 'Am I in?', '--json'])).code).toBe(1)
    expect((await carol.cli(['read', 'Cabin', '--json'])).stdout).not.toContain('cinchona')
    expect(await textsOf(bob, 'Cabin')).not.toContain('Am I in?')

    await Promise.all(helpers.map((one) => one.stop()))
    const secrets = (await Promise.all(helpers.map((one) => secretsOf(one.dataDir)))).flat()
    expect(secrets.length).toBeGreaterThan(4 * 3)
    for (const { dataDir } of helpers) {
      const bytes = await bytesOf(dataDir)
      for (const word of ['zephyranthes', 'cinchona', 'Cabin', 'heron']) expect(bytes).not.toContain(word)
      for (const secret of secrets) expect(bytes.includes(secret.toString('latin1'))).toBe(false)
    }
  })
})

/** What lies in a data directory, but for models and for the key that opens the rest, byte by byte. */
async function bytesOf(dataDir: string): Promise<string> {
  const found = await readdir(dataDir, { recursive: true, withFileTypes: true })
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = files.filter((file) => !file.includes('models')).map((file) => readFile(file, 'latin1'))
  return (await Promise.all(texts)).join('\n')
}

/** The device's keys, and the key of every epoch it can open, of a helper that was stopped. */
async function secretsOf(dataDir: string): Promise<Buffer[]> {
  const inner = await openLevelStore(join(dataDir, 'store'))
  const device = createKeyFile(join(dataDir, 'store.key'), systemRandom)
  const ports = { random: systemRandom, clock: systemClock }
  const vault = await openVault({ ...ports, inner, device, alone: (work) => work() })
  if (vault.state !== 'open') throw new TypeError('The vault is locked.')
  const { store } = vault
  const key = await loadDeviceKey(store, systemRandom)
  const sealing = await loadSealingKey(store, systemRandom)
  const membership = await loadMembership(
    { ...ports, store, key, sealing, log: silentLogger },
    { name: 'x', kind: 'helper', person: 'x' },
  )
  const secrets = [Buffer.from(key.privateKey.raw.subarray(0, 32)), Buffer.from(sealing.privateKey)]
  const { mesh } = membership.ledger()
  for (const [scope, epochs] of membership.state().epochs) {
    for (const { generation, sealed } of epochs) {
      const own = sealed.find(({ to }) => to === key.id)
      if (own === undefined) continue
      const place = { mesh, scope, to: key.id, what: generation }
      const [epoch] = await openKeys(sealing, own.box, place, 1)
      if (epoch !== undefined) secrets.push(Buffer.from(epoch))
    }
  }
  await inner.close()
  return secrets
}

describe('helpers that are killed in the middle of a conversation', () => {
  const LIVES = FULL ? 40 : 7
  const NAMES = ['alice', 'bob', 'carol'] as const
  const random = createSeededRandom('kill -9')
  const helpers: LastingHelper[] = []
  afterAll(async () => {
    for (const helper of helpers) {
      await helper.kill()
      await helper.remove()
    }
  })

  test(`${String(3 * LIVES)} times lose nothing that was acknowledged, double nothing, and agree on the order`, async () => {
    for (const name of NAMES) helpers.push(await createLastingHelper(name, random))
    await Promise.all(helpers.map((helper) => helper.spawn()))
    const [alice, ...others] = (await Promise.all(helpers.map((helper) => helper.client()))) as [
      LocalClient,
      ...LocalClient[],
    ]
    for (const other of others) {
      const { url } = await alice.call('invite', {})
      await other.call('join', { url })
    }
    const room = await alice.call('rooms-create', { name: 'Cabin', people: [] })
    for (const other of others) {
      await until(async () => (await other.call('rooms', {})).some(({ name }) => name === 'Cabin'), {
        what: 'the room',
      })
    }

    const acknowledged: string[] = []
    const tried = new Set<string>()
    /** Says one thing after another until the process is gone. */
    const talk = async (helper: LastingHelper, life: number): Promise<void> => {
      const client = await helper.client()
      for (let count = 0; ; count++) {
        const text = `${helper.name} ${String(life)}.${String(count)}`
        tried.add(text)
        await client.call('say', { room: room.id, text })
        acknowledged.push(text)
      }
    }
    const live = async (helper: LastingHelper): Promise<void> => {
      for (let life = 0; life < LIVES; life++) {
        const talking = talk(helper, life).catch(() => undefined)
        if (life % 3 !== 2) await helper.client()
        // in the middle of a start, of the first words, or of a conversation
        await new Promise((resolve) => setTimeout(resolve, randomInt(random, 1_500)))
        await helper.kill()
        await talking
        await helper.spawn()
      }
    }
    await Promise.all(helpers.map(live))
    expect(helpers.map((helper) => helper.ownEnd())).toEqual([undefined, undefined, undefined])

    const clients = await Promise.all(helpers.map((helper) => helper.client()))
    const linesOf = async (client: LocalClient): Promise<string[]> =>
      (await client.call('rooms-read', { room: room.id })).map(({ id, text }) => `${id} ${text}`)
    const [lines] = await until(
      async () => {
        const all = await Promise.all(clients.map(linesOf))
        const isSame = all.every((each) => JSON.stringify(each) === JSON.stringify(all[0]))
        return isSame && (all[0]?.length ?? 0) >= acknowledged.length && all
      },
      { what: 'the three to read the same', timeoutMs: 60_000 },
    )
    const texts = (lines ?? []).map((line) => line.slice(line.indexOf(' ') + 1))
    expect(new Set(texts).size).toBe(texts.length)
    expect(acknowledged.filter((text) => !texts.includes(text))).toEqual([])
    expect(texts.filter((text) => !tried.has(text))).toEqual([])
    expect(acknowledged.length).toBeGreaterThan(3 * LIVES)
    for (const name of NAMES) {
      // what one device said stands in the order it said it
      const own = texts.filter((text) => text.startsWith(`${name} `))
      expect(own).toEqual([...own].sort((a, b) => placeOf(a) - placeOf(b)))
    }
  }, 300_000)
})

function placeOf(text: string): number {
  const [life = '0', count = '0'] = (text.split(' ')[1] ?? '').split('.')
  return Number(life) * 1_000_000 + Number(count)
}
