import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTempDir, ROOT, runCli } from '../kit/helper-process.ts'

let temp: Awaited<ReturnType<typeof makeTempDir>>

beforeAll(async () => {
  temp = await makeTempDir()
})
afterAll(() => temp.remove())

const NEED_A_HELPER = [
  ['invite'],
  ['open'],
  ['join', 'http://127.0.0.1:1/#x'],
  ['devices'],
  ['remove', 'x'],
  ['rename', 'x', 'y'],
  ['ask', 'Hello?'],
  ['models'],
  ['models', 'list'],
  ['models', 'get', 'x'],
  ['token'],
  ['lan', 'on'],
  ['people'],
  ['role', 'x', 'guest'],
  ['ledger'],
  ['ledger', 'verify'],
  ['invite', '--person', 'x', '--role', 'guest'],
  ['invitations'],
  ['uninvite', 'x'],
  ['lock'],
  ['lock', 'remove'],
  ['stop'],
]

const WRONG = [
  ['join'],
  ['remove'],
  ['ask'],
  ['ask', '   '],
  ['no-such-command'],
  ['devices', '--no-such-option'],
  ['devices', 'too', 'many'],
  ['models', 'explode'],
  ['models', 'get'],
  ['lan', 'sideways'],
  ['role', 'x'],
  ['role', 'x', 'king'],
  ['ledger', 'explode'],
  ['invite', '--role', 'guest'],
  ['invite', '--person', 'x', '--role', 'king'],
  ['uninvite'],
  ['lock', 'explode'],
]

test('without a helper every command that needs one ends with 1 and says so', async () => {
  for (const args of NEED_A_HELPER) {
    const result = await runCli([...args, '--json', '--data-dir', temp.path])
    expect([args, result.code]).toEqual([args, 1])
    expect(result.json).toMatchObject({ error: { code: 'no-helper', message: expect.stringContaining('npm start') } })
    expect(result.stdout.trim().split('\n')).toHaveLength(1)
    expect(result.stderr).not.toBe('')
  }
})

test('a command that is used wrongly ends with 2, with and without --json', async () => {
  for (const args of WRONG) {
    const result = await runCli([...args, '--json', '--data-dir', temp.path])
    expect([args, result.code]).toEqual([args, 2])
    expect(result.json).toMatchObject({ error: { code: 'usage', message: expect.stringMatching(/\w/) } })
    const plain = await runCli([...args, '--data-dir', temp.path])
    expect([args, plain.code, plain.stdout]).toEqual([args, 2, ''])
    expect(plain.stderr).toMatch(/^plexus: \S+ \S+/)
  }
})

test('config shows each value with its origin and needs no helper', async () => {
  const result = await runCli(['config', '--json', '--data-dir', temp.path, '--port', '9000'], {
    env: { PLEXUS_THREADS: '3', PLEXUS_TOKEN: 'secret-token' },
  })
  expect(result.code).toBe(0)
  expect(result.json).toMatchObject({
    dataDir: { value: temp.path, origin: 'flag', from: '--data-dir' },
    port: { value: 9000, origin: 'flag' },
    threads: { value: 3, origin: 'environment', from: 'PLEXUS_THREADS' },
    offline: { value: false, origin: 'default' },
    token: { value: 'set', origin: 'environment' },
  })
  expect(result.stdout).not.toContain('secret-token')
})

test('the doctor needs no helper', async () => {
  const result = await runCli(['doctor', '--json', '--data-dir', temp.path])
  expect(result).toMatchObject({
    code: 0,
    json: { checks: expect.arrayContaining([expect.objectContaining({ name: 'node', ok: true })]) },
  })
})

test('help and version go to standard output and end with 0', async () => {
  const help = await runCli(['--help'])
  expect(help.code).toBe(0)
  for (const name of [
    'start',
    'invite',
    'open',
    'join',
    'devices',
    'remove',
    'people',
    'role',
    'ledger',
    'invitations',
    'uninvite',
    'ask',
    'models',
    'config',
    'doctor',
    'token',
    'lan',
  ]) {
    expect(help.stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
  }
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
  expect((await runCli(['ask', '--help'])).stdout).toContain('--device')
})

test('--data-dir is understood before and after the command', async () => {
  const before = await runCli(['--data-dir', temp.path, 'config', '--json'])
  expect(before.json).toMatchObject({ dataDir: { value: temp.path, origin: 'flag' } })
})

test('it runs from any directory', async () => {
  expect((await runCli(['config', '--json'], { cwd: temp.path })).code).toBe(0)
})
