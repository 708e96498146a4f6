import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  DEFAULT_PORT,
  describeConfig,
  loadConfig,
  SETTING_LIST,
  type ConfigInput,
  type LoadedConfig,
} from '../../../helper/config/index.ts'

let dir = ''

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-config-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

function load(input: Partial<ConfigInput> = {}): Promise<LoadedConfig> {
  return loadConfig({
    env: { PLEXUS_DATA_DIR: dir, ...input.env },
    flags: input.flags ?? {},
    installDir: join(dir, 'install'),
    threads: 2,
    currentDir: input.currentDir ?? dir,
  })
}

const file = (text: string): Promise<void> => writeFile(join(dir, 'config.toml'), text)

test('without any word from anybody every setting has a default that passes its own check', async () => {
  const { config, provenance } = await load()
  expect(config.port).toBe(DEFAULT_PORT)
  expect(config.threads).toBeGreaterThanOrEqual(1)
  expect(config.open).toBe(true)
  expect(config.offline).toBe(false)
  expect(config.pageDir).toBe(join(dir, 'install', 'dist', 'page'))
  expect(provenance.port).toEqual({ origin: 'default', from: 'default' })
})

test('a flag wins over the environment, the environment over the file, the file over the default', async () => {
  await file('port = 8000\nthreads = 2\nname = "desk"\n')
  const { config, provenance } = await load({
    env: { PLEXUS_PORT: '8100', PLEXUS_THREADS: '3' },
    flags: { port: '8200' },
  })
  expect([config.port, config.threads, config.name]).toEqual([8200, 3, 'desk'])
  expect(provenance.port).toEqual({ origin: 'flag', from: '--port' })
  expect(provenance.threads).toEqual({ origin: 'environment', from: 'PLEXUS_THREADS' })
  expect(provenance.name).toEqual({ origin: 'file', from: `${join(dir, 'config.toml')} line 3` })
})

test('a damaged file is named with line and column', async () => {
  await file('port = 8000\nname = "desk\n')
  await expect(load()).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(/config\.toml line 2, column \d+: /),
  })
})

test('a setting the file does not know is named with its line', async () => {
  await file('# mine\nprot = 8000\n')
  await expect(load()).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('config.toml line 2: "prot"'),
  })
})

test('a value of the wrong kind in the file is named with its line and what it must be', async () => {
  await file('open = "yes"\n')
  await expect(load()).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(/line 1: open must be true or false/),
  })
})

test('a wrong environment variable is named', async () => {
  await expect(load({ env: { PLEXUS_PORT: 'eighty' } })).rejects.toMatchObject({
    code: 'config-invalid',
    message: 'PLEXUS_PORT must be a whole number, not "eighty".',
  })
  await expect(load({ env: { PLEXUS_OFFLINE: 'maybe' } })).rejects.toMatchObject({ code: 'config-invalid' })
})

test('a wrong flag is a wrong use of the command', async () => {
  await expect(load({ flags: { port: '80' } })).rejects.toMatchObject({
    code: 'usage',
    message: '--port must be 0, or from 1024 to 65532.',
  })
  await expect(load({ flags: { threads: '1.5' } })).rejects.toMatchObject({ code: 'usage' })
  await expect(load({ flags: { logLevel: 'loud' } })).rejects.toMatchObject({ code: 'usage' })
})

test('a wrong value that a better source overrides does no harm', async () => {
  await file('port = 80\n')
  expect((await load({ flags: { port: '0' } })).config.port).toBe(0)
})

test('an empty environment variable counts as not set', async () => {
  expect((await load({ env: { PLEXUS_PORT: '' } })).config.port).toBe(DEFAULT_PORT)
})

test('paths of flags are meant from where the person is, paths of the file from the data directory', async () => {
  await file('model = "mine.gguf"\n')
  expect((await load({ currentDir: '/elsewhere' })).config.model).toBe(join(dir, 'mine.gguf'))
  expect((await load({ currentDir: join(dir, 'sub'), flags: { model: 'yours.gguf' } })).config.model).toBe(
    join(dir, 'sub', 'yours.gguf'),
  )
})

test('the description shows every setting with its origin and never the token', async () => {
  const described = describeConfig(await load({ env: { PLEXUS_TOKEN: 'a-secret-token' } }))
  expect(described.map((setting) => setting.key)).toEqual(SETTING_LIST.map((setting) => setting.key))
  expect(described.find((setting) => setting.key === 'token')).toMatchObject({
    value: 'set',
    origin: 'environment',
    from: 'PLEXUS_TOKEN',
  })
  expect(JSON.stringify(described)).not.toContain('a-secret-token')
})

test('a fault of the token does not show it', async () => {
  await expect(load({ env: { PLEXUS_TOKEN: 'two words' } })).rejects.toMatchObject({
    message: expect.not.stringContaining('two words'),
  })
})

test('a certificate without its key, or a key alone, is refused with where it was said', async () => {
  await expect(load({ flags: { tlsCert: 'own.crt' } })).rejects.toMatchObject({
    code: 'usage',
    message: '--tls-cert is set, and tls-key is not: a certificate needs its key.',
  })
  await expect(load({ env: { PLEXUS_TLS_KEY: 'own.key' } })).rejects.toMatchObject({
    code: 'config-invalid',
    message: 'PLEXUS_TLS_KEY is set, and tls-cert is not: a certificate needs its key.',
  })
  const { config } = await load({ flags: { tlsCert: 'own.crt', tlsKey: 'own.key' } })
  expect([config.tlsCert, config.tlsKey]).toEqual([join(dir, 'own.crt'), join(dir, 'own.key')])
})

test.each(['http://plexus.example/', 'plexus.example', 'https://plexus.example/#x', 'javascript:alert(1)'])(
  'the page on another host must be a whole https address: %s is not',
  async (pageUrl) => {
    await expect(load({ flags: { pageUrl } })).rejects.toMatchObject({ code: 'usage' })
    expect((await load({ flags: { pageUrl: 'https://plexus.example/app/' } })).config.pageUrl).toBe(
      'https://plexus.example/app/',
    )
  },
)
