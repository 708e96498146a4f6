import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type TLSSocket } from 'node:tls'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { openDoor, type Door } from '../../../helper/door/index.ts'
import { NO_NETWORK } from '../../../helper/gateway/face.ts'
import { createGateway, EVENTS_PATH, type Face } from '../../../helper/gateway/index.ts'
import { systemClock } from '../../../helper/ports/clock.ts'
import { systemRandom } from '../../../helper/ports/random.ts'
import { MeshError, silentLogger } from '../../../mesh/base/index.ts'
import { createFakeMesh, FAKE_DEVICE } from '../../kit/fake-mesh.ts'
import { makeTestPair } from '../../kit/tls-pair.ts'

const TOKEN = 'k7Qm2vXw9ZpLr4Ts8Yb1Nc'
const ADDRESS = '192.168.7.7'
const trusted = {
  fingerprint: Array.from({ length: 32 }, (_, index) => index.toString(16).padStart(2, '0').toUpperCase()).join(':'),
  certificate: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----',
  securePages: ['https://192.168.7.7:7539/', 'https://plexus.local:7539/'],
}
const open: Face = {
  ...NO_NETWORK,
  isOpen: () => true,
  names: () => [ADDRESS, 'plexus.local'],
  pageElsewhere: () => 'https://192.168.7.7:7539/',
  trustPage: () => 'http://192.168.7.7:7539/trust',
  trust: () => trusted,
}

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-network-'))
  await mkdir(join(dir, 'assets'))
  await writeFile(
    join(dir, 'index.html'),
    '<!doctype html><link rel="stylesheet" crossorigin href="./assets/index-1a2b.css"><title>Shell</title>',
  )
  await writeFile(join(dir, 'assets/index-1a2b.css'), 'body{}')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const doors: Door[] = []
afterEach(async () => {
  await Promise.all(doors.splice(0).map((door) => door.close({ signal: AbortSignal.abort() })))
})

async function serve(face: Face = open): Promise<Door> {
  const door = await openDoor({ port: 0, host: '127.0.0.1', clock: systemClock, log: silentLogger })
  doors.push(door)
  createGateway({
    mesh: createFakeMesh(),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    token: TOKEN,
    pageDir: dir,
    face,
  }).serve(door)
  door.setCertificate(await makeTestPair())
  return door
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Asks as a device of the network does: by the address of the helper, whatever the connection is. */
function ask(
  door: Door,
  path: string,
  options: { secure?: boolean; host?: string; method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { secure = false, host = `${ADDRESS}:${String(door.port)}`, method = 'GET', headers = {} } = options
  return new Promise((resolve, reject) => {
    const send = secure ? secureRequest : request
    send(
      {
        ...{ host: '127.0.0.1', port: door.port, path, method, agent: false, rejectUnauthorized: false },
        headers: { accept: 'text/html', ...headers, host },
      },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        })
      },
    )
      .on('error', reject)
      .end()
  })
}

describe('the local network', () => {
  test('gets the page, isolated over TLS and not over plain HTTP', async () => {
    const door = await serve()
    const plain = await ask(door, '/')
    expect([plain.status, plain.text.includes('Shell')]).toEqual([200, true])
    expect(plain.headers['content-security-policy']).toContain("default-src 'none'")
    expect(plain.headers['cross-origin-opener-policy']).toBeUndefined()
    expect(plain.headers['cross-origin-embedder-policy']).toBeUndefined()
    const secure = await ask(door, '/', { secure: true })
    expect(secure.headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    })
    // no promise for a later visit: the authority may be deleted, and then HTTPS is gone
    expect(secure.headers['strict-transport-security']).toBeUndefined()
  })

  test('is told where the page is best, and no name', async () => {
    const door = await serve()
    expect(JSON.parse((await ask(door, '/plexus.json')).text)).toEqual({
      peerId: FAKE_DEVICE,
      addresses: [`/ip4/127.0.0.1/tcp/4001/ws/p2p/${FAKE_DEVICE}`],
      lan: true,
      page: 'https://192.168.7.7:7539/',
      trust: 'http://192.168.7.7:7539/trust',
      guests: false,
    })
  })

  test.each([
    '/v1',
    '/v1/models',
    '/v1/chat/completions',
    '/api',
    '/api/v1/events',
    '/health',
    '//v1/models',
    '/V1/models',
    '/v1%2Fmodels',
    '/%76%31/models',
    '/./v1/models',
    '/trust/../v1/models',
    '/assets/../v1/models',
    '/v1/models/',
    '/v1;/models',
  ])('gets nothing of the gateway at %s, with the right token, by any method', async (path) => {
    const door = await serve()
    for (const secure of [false, true]) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'PUT']) {
        const answer = await ask(door, path, { secure, method, headers: { authorization: `Bearer ${TOKEN}` } })
        expect([method, answer.status >= 400 || answer.text.includes('Shell')]).toEqual([method, true])
        expect(answer.text).not.toMatch(/fake-135m|"object"|"ready"/)
      }
    }
  })

  test.each(['/v1/models', '/api/v1/events', '/health'])('is told that %s is for this machine', async (path) => {
    const answer = await ask(await serve(), path, { headers: { authorization: `Bearer ${TOKEN}` } })
    expect([answer.status, (JSON.parse(answer.text) as { error: { code: string } }).error.code]).toEqual([
      403,
      'this_machine_only',
    ])
  })

  test('gets no event socket, with the right token', async () => {
    const door = await serve()
    const socket = new WebSocket(`ws://127.0.0.1:${String(door.port)}${EVENTS_PATH}?token=${TOKEN}`, {
      headers: { host: `${ADDRESS}:${String(door.port)}` },
    })
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode)
      })
      socket.on('open', () => {
        resolve('open')
      })
      socket.on('error', () => {})
    })
    expect(status).toBe(403)
  })

  test('gets nothing at all while it is closed', async () => {
    const door = await serve({ ...open, isOpen: () => false, names: () => [] })
    for (const path of ['/', '/plexus.json', '/trust', '/trust/plexus-authority.crt'])
      expect([path, (await ask(door, path)).status]).toEqual([path, 403])
  })

  test('over TLS this machine has all of its gateway', async () => {
    const door = await serve()
    const answer = await ask(door, '/v1/models', {
      secure: true,
      host: `127.0.0.1:${String(door.port)}`,
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    expect([answer.status, answer.text.includes('fake-135m')]).toEqual([200, true])
  })
})

describe('a guest pass', () => {
  const passes: number[] = []
  const full = { at: Number.POSITIVE_INFINITY }
  const guests: Face = {
    ...open,
    guests: {
      areLetIn: () => true,
      pass() {
        if (passes.length >= full.at)
          return Promise.reject(new MeshError('busy', 'Several guests are waiting already.'))
        passes.push(passes.length)
        return Promise.resolve({ fragment: 'join=guest', expiresAt: 1_000 })
      },
    },
  }
  const request = (door: Door, options: Parameters<typeof ask>[2] = {}) =>
    ask(door, '/guest', { method: 'POST', ...options })

  test('is handed to a page without protection, so often and no more', async () => {
    const door = await serve(guests)
    const pass = await request(door)
    expect([pass.status, JSON.parse(pass.text)]).toEqual([200, { fragment: 'join=guest', expiresAt: 1_000 }])
    expect((await request(door)).status).toBe(200)
    const made = passes.length
    expect((await request(door)).status).toBe(429)
    expect(passes).toHaveLength(made)
  })

  test('is not handed to a page over TLS, to this machine, to a foreign page, or to a visit', async () => {
    const door = await serve(guests)
    const before = passes.length
    expect((await request(door, { secure: true })).status).toBe(403)
    expect((await request(door, { host: `127.0.0.1:${String(door.port)}` })).status).toBeGreaterThanOrEqual(404)
    expect((await request(door, { headers: { origin: 'http://evil.example' } })).status).toBe(403)
    expect((await request(door, { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403)
    expect((await request(door, { method: 'GET' })).status).toBe(405)
    expect(passes).toHaveLength(before)
  })

  test('is not handed out while as many wait as may', async () => {
    full.at = passes.length
    const refused = await request(await serve(guests))
    expect([refused.status, refused.text.includes('too_many_guests')]).toEqual([429, true])
    full.at = Number.POSITIVE_INFINITY
  })

  test('is not there where guests are not let in', async () => {
    const refused = await request(await serve())
    expect([refused.status, refused.text.includes('no_guests')]).toEqual([404, true])
  })
})

describe('the trust page', () => {
  test('shows the fingerprint, the steps and the certificate, in the look of the page', async () => {
    const door = await serve()
    for (const host of [undefined, `127.0.0.1:${String(door.port)}`]) {
      const page = await ask(door, '/trust', host === undefined ? {} : { host })
      expect(page.status).toBe(200)
      expect(page.headers['content-security-policy']).toContain("default-src 'none'")
      expect(page.text).toContain('00 01 02 03 04 05 06 07<br>08 09')
      for (const part of [
        'iPhone',
        'Android',
        'macOS',
        'Windows',
        'Firefox',
        'plexus trust',
        trusted.securePages[0] ?? '',
      ])
        expect(page.text).toContain(part)
      expect(page.text).toContain('<link rel="stylesheet" href="/assets/index-1a2b.css">')
      // the policy would block both
      expect(page.text).not.toMatch(/<script|<style| style=| on\w+=/)
    }
    const file = await ask(door, '/trust/plexus-authority.crt')
    expect(file.headers['content-type']).toBe('application/x-x509-ca-cert')
    expect(file.text).toBe(`${trusted.certificate}\n`)
    expect((await ask(door, '/trust', { method: 'POST' })).status).toBe(405)
    expect((await ask(door, '/trust/authority.pem')).status).toBe(404)
  })

  test('says so where there is nothing to trust', async () => {
    const door = await serve({ ...open, trust: () => undefined })
    const page = await ask(door, '/trust')
    expect([page.status, page.text.includes('plexus trust make')]).toEqual([404, true])
    expect((await ask(door, '/trust/plexus-authority.crt')).status).toBe(404)
  })
})

test('a name of a wildcard certificate is ours one label deep', async () => {
  const door = await serve({ ...open, names: () => ['*.example.org'] })
  const at = async (name: string): Promise<number> =>
    (await ask(door, '/', { host: `${name}:${String(door.port)}` })).status
  expect(await at('home.example.org')).toBe(200)
  for (const name of ['example.org', 'a.b.example.org', 'home.example.com', '.example.org'])
    expect([name, await at(name)]).toEqual([name, 403])
})

test('TLS older than 1.2 is not spoken', async () => {
  const door = await serve()
  const outcome = await new Promise<string>((resolve) => {
    const socket: TLSSocket = connect(
      { port: door.port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
      () => {
        resolve(String(socket.getProtocol()))
        socket.destroy()
      },
    )
    socket.on('error', () => {
      resolve('refused')
    })
  })
  expect(outcome).toBe('refused')
})
