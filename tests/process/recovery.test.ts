import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTempDir, startHelper, type CliResult, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'

// Recovery on the command lines of real helpers: one makes words, others come back with them.

let temp: Awaited<ReturnType<typeof makeTempDir>>
const helpers = new Map<string, HelperProcess>()
const start = async (name: string): Promise<HelperProcess> => {
  const helper = await startHelper({ dataDir: join(temp.path, name), args: ['--name', name] })
  helpers.set(name, helper)
  return helper
}
beforeAll(async () => {
  temp = await makeTempDir()
})
afterAll(async () => {
  await Promise.all([...helpers.values()].map((helper) => helper.stop()))
  await temp.remove()
})

const jsonOf = async (from: HelperProcess, ...args: string[]): Promise<unknown> => {
  const { code, json, stderr } = await from.cli([...args, '--json'])
  expect(code, stderr).toBe(0)
  return json
}
const codeOf = ({ json }: CliResult): unknown => (json as { error?: { code: unknown } }).error?.code

test('words made on one helper bring a fresh one back, rooms and all; replaced ones bring nobody', async () => {
  const old = await start('old')
  const laptop = await start('laptop')
  expect(await jsonOf(old, 'recovery')).toMatchObject({ since: null, by: null })
  const { url } = (await jsonOf(old, 'invite')) as { url: string }
  await jsonOf(laptop, 'join', url)
  await jsonOf(laptop, 'rooms', 'create', 'Diary')
  await jsonOf(laptop, 'say', 'Diary', 'The heron came back.')
  await until(async () => JSON.stringify(await jsonOf(old, 'rooms')).includes('Diary'), { what: 'the room' })
  const first = (await jsonOf(laptop, 'recovery', 'make')) as { words: string[] }
  const second = (await jsonOf(laptop, 'recovery', 'make', '--parts')) as { parts: { number: number; text: string }[] }
  expect(first.words).toHaveLength(12)
  expect(second).not.toHaveProperty('words')
  expect(second.parts.map(({ number }) => number)).toEqual([1, 2, 3])
  expect(await jsonOf(laptop, 'recovery')).toMatchObject({ by: 'laptop' })
  await until(async () => ((await jsonOf(old, 'recovery')) as { by: unknown }).by === 'laptop', { what: 'the words' })
  // the laptop falls into the sea
  helpers.delete('laptop')
  await laptop.kill()

  const fresh = await start('fresh')
  const file = join(temp.path, 'parts')
  await writeFile(file, `${second.parts[0]?.text ?? ''}\n${second.parts[2]?.text ?? ''}\n`)
  const replaced = await fresh.cli(['recover', old.url, '--json'], { input: first.words.join('\n') })
  expect([replaced.code, codeOf(replaced)]).toEqual([1, 'recovery-unknown'])
  const nothing = await fresh.cli(['recover', old.url, '--json'])
  expect([nothing.code, codeOf(nothing)]).toEqual([2, 'usage'])
  const mistyped = await fresh.cli(['recover', old.url, '--json'], { input: 'abandon '.repeat(12) })
  expect([mistyped.code, codeOf(mistyped)]).toEqual([1, 'malformed'])
  const nowhere = await fresh.cli(['recover', 'http://127.0.0.1:9/', '--words-file', file, '--json'])
  expect([nowhere.code, codeOf(nowhere)]).toEqual([1, 'offline'])

  const done = await jsonOf(fresh, 'recover', old.url, '--words-file', file)
  expect(done).toMatchObject({ recovered: true, device: { name: 'old' } })
  const others = (done as { others: { id: string; name: string }[] }).others
  expect(others.map(({ name }) => name).sort()).toEqual(['laptop', 'old'])
  await until(async () => JSON.stringify(await jsonOf(fresh, 'rooms')).includes('Diary'), { what: 'the room to come' })
  await until(
    async () =>
      JSON.stringify((await fresh.cli(['read', 'Diary', '--json'])).json ?? '').includes('The heron came back.'),
    { what: 'what was written' },
  )
  // what is lost is removed at once, and everybody reads in the ledger how the new one came
  await jsonOf(fresh, 'remove', 'laptop')
  await until(
    async () => {
      const entries = (await jsonOf(old, 'ledger')) as { sentence: string }[]
      return entries.some(({ sentence }) => /recovery/i.test(sentence) && sentence.includes('fresh'))
    },
    { what: 'the sentence of the return' },
  )
  await until(async () => !JSON.stringify(await jsonOf(old, 'devices')).includes('"laptop","role":"owner","state":"online"'), { what: 'the removal' }) // prettier-ignore

  // taken back, they bring nobody
  expect(await jsonOf(fresh, 'recovery', 'remove')).toMatchObject({ since: null })
  await until(async () => ((await jsonOf(old, 'recovery')) as { since: unknown }).since === null, { what: 'the word' })
  const late = await (await start('late')).cli(['recover', old.url, '--words-file', file, '--json'])
  expect([late.code, codeOf(late)]).toEqual([1, 'recovery-unknown'])
})
