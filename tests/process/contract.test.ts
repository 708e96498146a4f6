import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createSocket } from 'node:dgram'
import { get } from 'node:https'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { networkAddresses } from '../../helper/ports/network.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import {
  cleanEnv,
  makeTempDir,
  ROOT,
  runCli,
  runProcess,
  spawnHelper,
  startHelper,
  startProcess,
  type HelperProcess,
} from '../kit/helper-process.ts'
import { makeTestPair } from '../kit/tls-pair.ts'
import { until } from '../kit/wait.ts'

let temp: Awaited<ReturnType<typeof makeTempDir>>
let model = ''

beforeAll(async () => {
  temp = await makeTempDir()
  model = join(temp.path, 'tiny.gguf')
  await writeTinyGguf(model)
})
afterAll(() => temp.remove())

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Sends a request head as written here, which fetch would not, and gives back the answer. */
function exchangeHead(host: string, port: number, head: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host)
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(text)
    })
    socket.write([...head, 'Connection: close', '', ''].join('\r\n'))
  })
}

/** Reads over HTTPS with nothing but this authority trusted; `fingerprint` is that of the authority which signed. */
function secureGet(options: {
  address: string
  port: number
  path: string
  authority: string
}): Promise<{ text: string; fingerprint: string }> {
  const { address: host, port, path, authority: ca } = options
  return new Promise((resolve, reject) => {
    get({ host, port, path, ca, agent: false }, (response) => {
      const { issuerCertificate } = (response.socket as TLSSocket).getPeerCertificate(true)
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => {
        resolve({ text, fingerprint: issuerCertificate.fingerprint256 })
      })
    }).on('error', reject)
  })
}

describe('a ready helper', () => {
  let helper: HelperProcess
  beforeAll(async () => {
    helper = await startHelper({ model })
  })
  afterAll(() => helper.stop())

  test('ports.json names the process, its places and its device, for its user only', async () => {
    const file = join(helper.dataDir, 'ports.json')
    const ports = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    expect(Object.keys(ports).sort()).toEqual(['http', 'peerId', 'pid', 'startedAt', 'tcp', 'webrtcDirect', 'ws'])
    expect(ports['pid']).toBe(helper.pid)
    for (const key of ['http', 'ws', 'tcp'])
      expect(ports[key]).toSatisfy((port) => Number.isInteger(port) && Number(port) > 0)
    expect(ports['webrtcDirect']).toMatch(/^\/ip4\/127\.0\.0\.1\/udp\/\d+\/webrtc-direct\/certhash\/u[\w-]+/)
    expect(ports['peerId']).toMatch(/^12D3KooW\w+$/)
    expect(ports['startedAt']).toSatisfy((at) => Math.abs(Date.now() - Number(at)) < 600_000)
    if (process.platform !== 'win32') {
      expect(await mode(file)).toBe(0o600)
      expect(await mode(helper.dataDir)).toBe(0o700)
      expect(await mode(join(helper.dataDir, 'token'))).toBe(0o600)
    }
  })

  test('every port is the system’s choice with --port 0', () => {
    expect(helper.ports.ws).toBe(helper.ports.http)
    expect(helper.ports.tcp).not.toBe(helper.ports.http)
    expect(helper.ports.http).not.toBe(7539)
  })

  test('the gateway answers to the token that the command line prints, and to no other', async () => {
    const list = (token: string): Promise<Response> =>
      fetch(`${helper.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })
    expect((await list(helper.token)).status).toBe(200)
    expect((await list('wrong')).status).toBe(401)
  })

  test('the file given with --model is first in /v1/models', async () => {
    const response = await fetch(`${helper.url}/v1/models`, { headers: { authorization: `Bearer ${helper.token}` } })
    const { data } = (await response.json()) as { data: { id: string }[] }
    expect(data[0]?.id).toMatch(/^tiny/)
    const models = await helper.cli(['models', '--json'])
    expect(models).toMatchObject({ code: 0, json: [{ id: data[0]?.id, sizeBytes: (await stat(model)).size }] })
  })

  test('a question is answered with its device, model and route', async () => {
    const asked = await helper.cli(['ask', 'Hello?', '--json'])
    expect(asked.code).toBe(0)
    expect(asked.json).toMatchObject({
      device: helper.ports.peerId,
      route: { device: helper.ports.peerId, reason: expect.any(String) },
    })
    const { text, model: answeredBy } = asked.json as { text: string; model: string }
    expect(typeof text).toBe('string')
    expect(answeredBy).toMatch(/^tiny/)
  })

  test('a device is asked by its id or name, and one that is not in the mesh ends with 1', async () => {
    const [self] = (await helper.cli(['devices', '--json'])).json as { id: string; name: string }[]
    expect((await helper.cli(['ask', 'Hi', '--device', helper.ports.peerId, '--json'])).code).toBe(0)
    expect((await helper.cli(['ask', 'Hi', '--device', self?.name ?? '', '--json'])).code).toBe(0)
    for (const stranger of ['12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN', 'nobody', '\u2603']) {
      const refused = await helper.cli(['ask', 'Hi', '--device', stranger, '--json'])
      expect(refused).toMatchObject({
        code: 1,
        json: { error: { code: 'device-unknown', message: expect.any(String) } },
      })
    }
  })

  test('the devices are this one, online and reached through itself', async () => {
    const devices = await helper.cli(['devices', '--json'])
    expect(devices).toMatchObject({
      code: 0,
      json: [{ id: helper.ports.peerId, state: 'online', path: 'self', role: 'owner', name: expect.any(String) }],
    })
    expect(Object.keys((devices.json as object[])[0] ?? {}).sort()).toEqual([
      'id',
      'name',
      'path',
      'role',
      'rttMs',
      'state',
    ])
  })

  test('an invitation is a link of this machine that expires', async () => {
    const made = await helper.cli(['invite', '--json'])
    expect(made).toMatchObject({
      code: 0,
      json: { url: expect.stringMatching(new RegExp(`^${helper.url}/.*#.+`)), expiresAt: expect.any(Number) },
    })
    const { url, expiresAt } = made.json as { url: string; expiresAt: number }
    expect(expiresAt - Date.now()).toBeGreaterThan(8 * 60_000)
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(10 * 60_000 + 2_000)
    const other = await helper.cli(['invite', '--person', 'Ana', '--json'])
    expect(other.code).toBe(0)
    expect((other.json as { url: string }).url).not.toBe(url)
    expect(helper.output().stderr + helper.output().stdout).not.toContain(url.split('#')[1])
  })

  test('a link for this machine’s browser lasts a minute', async () => {
    const opened = await helper.cli(['open', '--json'])
    expect(opened).toMatchObject({
      code: 0,
      json: { url: expect.stringContaining('#'), expiresAt: expect.any(Number) },
    })
    expect((opened.json as { expiresAt: number }).expiresAt - Date.now()).toBeLessThanOrEqual(62_000)
  })

  test('a device renames itself and keeps the name', async () => {
    expect((await helper.cli(['rename', helper.ports.peerId, 'Workshop', '--json'])).code).toBe(0)
    expect((await helper.cli(['devices', '--json'])).json).toMatchObject([{ name: 'Workshop' }])
  })

  test('joining with what is no invitation, or removing an unknown device, ends with 1', async () => {
    for (const args of [
      ['join', 'nonsense'],
      ['join', `${helper.url}/#join=AAAA`],
      ['remove', 'nobody'],
      ['models', 'use', 'no-such-model'],
    ]) {
      const result = await helper.cli([...args, '--json'])
      expect([args, result.code]).toEqual([args, 1])
      expect(result.json).toMatchObject({ error: { code: expect.any(String), message: expect.stringMatching(/\w/) } })
    }
  })

  test('the local network is closed until it is opened, and the switch is said', async () => {
    expect(await helper.cli(['lan', '--json'])).toMatchObject({ code: 0, json: { lan: false } })
    expect(await helper.cli(['lan', 'sideways', '--json'])).toMatchObject({
      code: 2,
      json: { error: { code: 'usage' } },
    })
  })

  test('opening the local network acts at once, keeps the device, and closes again', async () => {
    const opened = await helper.cli(['lan', 'on', '--json'])
    expect(opened).toMatchObject({
      code: 0,
      json: { lan: true, addresses: expect.arrayContaining([expect.stringContaining('/ip4/')]) },
    })
    const closed = await helper.cli(['lan', 'off', '--json'])
    expect(closed).toMatchObject({ code: 0, json: { lan: false, addresses: [] } })
    const ports = JSON.parse(await readFile(join(helper.dataDir, 'ports.json'), 'utf8')) as {
      pid: number
      peerId: string
    }
    expect(ports).toMatchObject({ pid: helper.pid, peerId: helper.ports.peerId })
    expect((await helper.cli(['ask', 'Still there?', '--json'])).code).toBe(0)
  })

  test.runIf(networkAddresses().length > 0)(
    'an open local network gets the page and the peer’s WebSocket, and nothing of the gateway',
    async () => {
      const [address = ''] = networkAddresses()
      const network = `http://${address}:${String(helper.ports.http)}`
      const bearer = { authorization: `Bearer ${helper.token}` }
      await expect(fetch(`${network}/`)).rejects.toThrow()
      const opened = (await helper.cli(['lan', 'on', '--json'])).json as { addresses: string[] }
      try {
        const { http } = JSON.parse(await readFile(join(helper.dataDir, 'ports.json'), 'utf8')) as { http: number }
        const url = `http://${address}:${String(http)}`
        expect(opened.addresses.some((one) => one.startsWith(`/ip4/${address}/tcp/${String(http)}/ws/`))).toBe(true)
        expect(await (await fetch(`${url}/plexus.json`)).json()).toMatchObject({ peerId: helper.ports.peerId })
        const page = await fetch(url, { headers: { accept: 'text/html' } })
        expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
        for (const path of ['/v1/models', '/api/v1/events', '/health', '/local/status', '/local/token']) {
          const refused = await fetch(`${url}${path}`, { headers: bearer })
          expect([path, refused.status]).toEqual([path, 403])
          expect(await refused.json()).toMatchObject({ error: { code: 'this_machine_only' } })
        }
        // HTTPS by an authority of its own, which devices compare and trust
        const trust = (await helper.cli(['trust', '--json'])).json as Record<string, string>
        expect(trust).toMatchObject({
          kind: 'own-authority',
          page: `${url}/trust`,
          names: expect.arrayContaining([address]),
        })
        const authority = await readFile(trust['file'] ?? '', 'utf8')
        const secure = await secureGet({ address, port: http, path: '/plexus.json', authority })
        expect(secure.fingerprint).toBe(trust['fingerprint'])
        expect(JSON.parse(secure.text)).toMatchObject({ page: `https://${address}:${String(http)}/`, lan: true })
        expect(await (await fetch(`${url}/trust`)).text()).toContain(
          (trust['fingerprint'] ?? '').slice(0, 23).replaceAll(':', ' '),
        )
        if (process.platform !== 'win32')
          expect(await mode(join(helper.dataDir, 'tls', 'plexus-authority.crt'))).toBe(0o600)
        // a link for another device is never in the clear; one for this machine is its own page
        expect((await helper.cli(['invite', '--json'])).json).toMatchObject({
          url: expect.stringMatching(new RegExp(`^https://${address}:${String(http)}/#join=`)),
        })
        for (const args of [['invite', '--here'], ['open']])
          expect((await helper.cli([...args, '--json'])).json).toMatchObject({
            url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/#join=/),
          })
        // deleted, it stays deleted, also over the next start
        expect((await helper.cli(['trust', 'delete', '--json'])).json).toMatchObject({ kind: 'off', fingerprint: null })
        expect(await exists(join(helper.dataDir, 'tls', 'plexus-authority.crt'))).toBe(false)
        await expect(secureGet({ address, port: http, path: '/', authority })).rejects.toThrow()
        await helper.cli(['lan', 'off', '--json'])
        await helper.cli(['lan', 'on', '--json'])
        expect((await helper.cli(['trust', '--json'])).json).toMatchObject({ kind: 'off' })
        expect((await helper.cli(['invite', '--json'])).json).toMatchObject({
          url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/),
        })
        expect((await helper.cli(['trust', 'make', '--json'])).json).toMatchObject({ kind: 'own-authority' })
        expect((await helper.cli(['trust', 'sideways', '--json'])).code).toBe(2)
      } finally {
        await helper.cli(['lan', 'off', '--json'])
      }
    },
  )

  test.runIf(networkAddresses().length > 0)(
    'a device of the network that calls itself this machine is refused',
    async () => {
      const [address = ''] = networkAddresses()
      await helper.cli(['lan', 'on', '--json'])
      try {
        const { http } = JSON.parse(await readFile(join(helper.dataDir, 'ports.json'), 'utf8')) as { http: number }
        const bearer = { authorization: `Bearer ${helper.token}` }
        // a name of loopback does not make it this machine
        const posing = await exchangeHead(address, http, [
          'GET /v1/models HTTP/1.1',
          `Host: 127.0.0.1:${String(http)}`,
          `Authorization: ${bearer.authorization}`,
        ])
        expect(posing).toMatch(/^HTTP\/1\.1 403 /)
      } finally {
        await helper.cli(['lan', 'off', '--json'])
      }
    },
  )

  test('the doctor finds everything in order but perhaps the page', async () => {
    const result = await helper.cli(['doctor', '--json'])
    expect(result.code).toBe(0)
    const { checks } = result.json as { checks: { name: string; ok: boolean }[] }
    for (const check of checks) if (check.name !== 'page') expect(check).toMatchObject({ ok: true })
  })

  test('a second helper of the same directory ends with 1 and names the process', async () => {
    const second = await (await spawnHelper(helper.dataDir, { model })).ended
    expect(second.code).toBe(1)
    expect(second.stderr).toContain(`in use by process ${String(helper.pid)}`)
    expect(await exists(join(helper.dataDir, 'ports.json'))).toBe(true)
    expect((await helper.cli(['devices', '--json'])).code).toBe(0)
  })

  test('its output never holds the token', () => {
    const { stdout, stderr } = helper.output()
    expect(stdout + stderr).not.toContain(helper.token)
  })
})

describe('a start that cannot be', () => {
  test('a data directory that is a file ends with 1 and names it', async () => {
    const file = join(temp.path, 'a-file')
    await writeFile(file, '')
    const result = await (await spawnHelper(file, { model })).ended
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(file)
    expect(result.stdout).toBe('')
  })

  test('a taken port ends with 1 and names the port, and no other is used instead', async () => {
    const taken = createServer()
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
    try {
      for (const offset of [0, 2]) {
        const dir = await makeTempDir()
        const result = await (await spawnHelper(dir.path, { model, port: port - offset })).ended
        expect([offset, result.code]).toEqual([offset, 1])
        expect(result.stderr).toContain(String(port))
        expect(await exists(join(dir.path, 'ports.json'))).toBe(false)
        await dir.remove()
      }
    } finally {
      taken.close()
    }
  })

  test('a taken UDP port ends with 1 and names the port, and standard output stays one JSON document', async () => {
    const taken = createSocket('udp4')
    await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve))
    const { port } = taken.address()
    const dir = await makeTempDir()
    try {
      const result = await (await spawnHelper(dir.path, { model, port: port - 4, args: ['--json'] })).ended
      expect(result.code).toBe(1)
      expect(result.stderr).toContain(String(port))
      expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'port-taken', detail: { port } } })
    } finally {
      taken.close()
      await dir.remove()
    }
  })

  test('a certificate of one’s own that cannot be used ends with 1 and names the file', async () => {
    const dir = await makeTempDir()
    const [cert, key] = [join(dir.path, 'own.crt'), join(dir.path, 'own.key')]
    const [pair, other] = [await makeTestPair(), await makeTestPair()]
    await writeFile(cert, pair.cert)
    await writeFile(key, other.key)
    const args = ['--tls-cert', cert, '--tls-key', key, '--json']
    const result = await (await spawnHelper(join(dir.path, 'data'), { model, args })).ended
    expect(result.code).toBe(1)
    expect(JSON.parse(result.stdout)).toMatchObject({
      error: { code: 'config-invalid', message: expect.stringContaining(`${key} is not the key of ${cert}`) },
    })
    await dir.remove()
  })

  test('a damaged settings file ends with 1 and names file and line', async () => {
    const dir = await makeTempDir()
    await writeFile(join(dir.path, 'config.toml'), 'threads = 1\nport = = 5\n')
    for (const args of [
      ['start', '--json'],
      ['devices', '--json'],
      ['config', '--json'],
    ]) {
      const result = await runCli([...args, '--data-dir', dir.path])
      expect([args, result.code]).toEqual([args, 1])
      expect(result.json).toMatchObject({
        error: { code: 'config-invalid', message: expect.stringContaining('config.toml line 2') },
      })
    }
    await dir.remove()
  })

  test('a model file that is unusable ends with 1 and names the fault', async () => {
    const broken = join(temp.path, 'broken.gguf')
    await writeFile(broken, (await readFile(model)).subarray(0, 900))
    for (const file of [broken, join(temp.path, 'nowhere.gguf'), ROOT]) {
      const dir = await makeTempDir()
      const result = await (await spawnHelper(dir.path, { model: file })).ended
      expect([file, result.code]).toEqual([file, 1])
      expect(result.stderr).toContain(file)
      expect(await exists(join(dir.path, 'ports.json'))).toBe(false)
      await dir.remove()
    }
  })

  test('wrong flags end with 2', async () => {
    for (const args of [['--port', '99999'], ['--threads', 'many'], ['--no-such-flag']]) {
      const result = await (await spawnHelper(join(temp.path, 'unused'), { args })).ended
      expect([args, result.code]).toEqual([args, 2])
    }
  })
})

describe('settings', () => {
  test('the token of PLEXUS_TOKEN is the one in force, and the command line does not need the variable', async () => {
    const helper = await startHelper({ model, env: { PLEXUS_TOKEN: 'a-token-of-my-own' } })
    try {
      expect(helper.token).toBe('a-token-of-my-own')
      const response = await fetch(`${helper.url}/v1/models`, {
        headers: { authorization: 'Bearer a-token-of-my-own' },
      })
      expect(response.status).toBe(200)
    } finally {
      await helper.stop()
    }
  })

  test('PLEXUS_DATA_DIR is honoured by helper and command line', async () => {
    const dir = await makeTempDir()
    const config = await runCli(['config', '--json'], { env: { PLEXUS_DATA_DIR: dir.path } })
    expect(config).toMatchObject({
      code: 0,
      json: { dataDir: { value: dir.path, origin: 'environment' }, port: { origin: 'default' } },
    })
    await dir.remove()
  })

  test('without a model and without a network the helper says so and runs', async () => {
    const helper = await startHelper({ offline: true })
    try {
      const models = (await helper.cli(['models', '--json'])).json as { state: string }[]
      expect(models.filter((each) => each.state !== 'failed')).toEqual([])
      expect(helper.output().stderr).toMatch(/There is no model to answer with: \w/)
      const asked = await helper.cli(['ask', 'Anybody?', '--json'])
      expect(asked).toMatchObject({ code: 1, json: { error: { code: expect.any(String) } } })
      expect((await fetch(`${helper.url}/health`)).status).toBe(200)
    } finally {
      await helper.stop()
    }
  })

  test('npm run -s plexus -- token prints the token and nothing else', async () => {
    const helper = await startHelper({ model })
    try {
      const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
      const result = await runProcess(npm, ['run', '-s', 'plexus', '--', 'token', '--data-dir', helper.dataDir], {
        env: cleanEnv(),
        cwd: ROOT,
      })
      expect(result).toMatchObject({ code: 0, stdout: `${helper.token}\n` })
    } finally {
      await helper.stop()
    }
  })
})

test.runIf(process.platform === 'linux')(
  'opening the page leaves a file for its user only, and no link in the output',
  async () => {
    const dir = await makeTempDir()
    const page = join(dir.path, 'page')
    const seen = join(dir.path, 'seen')
    await mkdir(page)
    await writeFile(join(page, 'index.html'), '<!doctype html><title>Plexus</title>')
    const opener = join(dir.path, 'bin')
    await mkdir(opener)
    await writeFile(
      join(opener, 'xdg-open'),
      `#!/bin/sh\nprintf '%s' "$1" > '${seen}.part' && mv '${seen}.part' '${seen}'\n`,
      { mode: 0o755 },
    )
    const data = join(dir.path, 'data')
    const args = [
      'start',
      '--data-dir',
      data,
      '--port',
      '0',
      '--offline',
      '--threads',
      '1',
      '--model',
      model,
      '--page-dir',
      page,
    ]
    const running = startProcess(process.execPath, [join(ROOT, 'dist', 'helper', 'cli.js'), ...args], {
      env: cleanEnv({ PATH: `${opener}:${process.env['PATH'] ?? ''}`, DISPLAY: ':none' }),
    })
    try {
      const file = await until(() => readFile(seen, 'utf8'), { timeoutMs: 60_000, what: 'the opener to be called' })
      expect(file.startsWith(data)).toBe(true)
      expect(await mode(file)).toBe(0o600)
      const fragment = /#([^"]+)"/.exec(await readFile(file, 'utf8'))?.[1] ?? ''
      expect(fragment.length).toBeGreaterThan(20)
      const { stdout, stderr } = running.output()
      expect(stdout + stderr).not.toContain(fragment)
      expect(stdout + stderr).not.toContain('#')
    } finally {
      running.child.kill('SIGTERM')
      expect((await running.ended).code).toBe(0)
    }
    await dir.remove()
  },
)
