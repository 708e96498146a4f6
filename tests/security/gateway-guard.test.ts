import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { guardRules, refuseOutsider, zoneOf } from '../../helper/door/index.ts'
import { refuseBodyType, refuseStranger, tokenCheck, type RequestHead } from '../../helper/gateway/guard.ts'
import { createGateway, type ServingGateway } from '../../helper/gateway/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { MeshError, silentLogger } from '../../mesh/base/index.ts'
import { createFakeMesh, type FakeMesh } from '../kit/fake-mesh.ts'

const PORT = 8642
const TOKEN = 'k7Qm2vXw9ZpLr4Ts8Yb1Nc'

interface Row {
  readonly what: string
  readonly head: Partial<RequestHead>
  /** Status with which the guard refuses; undefined: it lets the request in. */
  readonly status?: number
}

const hostRow = (host: string): Row => ({ what: `Host ${JSON.stringify(host)}`, head: { host: [host] }, status: 403 })
const originRow = (origin: string): Row => ({
  what: `Origin ${JSON.stringify(origin)}`,
  head: { origin: [origin] },
  status: 403,
})
const tokenRow = (authorization: readonly string[]): Row => ({
  what: `Authorization ${JSON.stringify(authorization)}`,
  head: { authorization },
  status: 401,
})
const typeRow = (contentType: readonly string[]): Row => ({
  what: `Content-Type ${JSON.stringify(contentType)}`,
  head: { contentType },
  status: 415,
})

const ALLOWED_HOSTS = [
  `127.0.0.1:${String(PORT)}`,
  `localhost:${String(PORT)}`,
  `[::1]:${String(PORT)}`,
  `LocalHost:${String(PORT)}`,
]

const REBINDING_NAMES = [
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example.localhost',
  'sub.localhost',
  '127.0.0.1.nip.io',
  'localtest.me',
  'lvh.me',
  'a.7f000001.rbndr.us',
  'localhost.localdomain',
  'plexus.local',
  'host.docker.internal',
  'gateway',
  'rebind.127.0.0.1.xip.io',
  'ⓛocalhost',
  'localhost\u3002',
  'xn--localhost',
  'loca1host',
]
const OTHER_SPELLINGS = [
  '127.0.0.1.',
  'localhost.',
  'localhost..',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0x7f.1',
  '017700000001',
  '0177.0.0.1',
  '0177.0.0.01',
  '127.000.000.001',
  '127.0.0.2',
  '127.255.255.254',
  '0.0.0.0',
  '0',
  '10.0.0.1',
  '192.168.0.1',
  '169.254.169.254',
  '::1',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[::0001]',
  '[0000::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[::1%25lo]',
  '[::1%lo]',
  '[fe80::1]',
  '[::1',
  '::1]',
  '①②⑦.⓪.⓪.①',
  '127。0。0。1',
  '127.0.0.1@evil.example',
  'evil.example@127.0.0.1',
  'user:pw@localhost',
  '127.0.0.1#',
  '127.0.0.1/',
  '127.0.0.1?',
  '127.0.0.1\\',
  ' 127.0.0.1',
  '127.0.0.1 ',
  '127.0.0.1,localhost',
  '*',
  '',
  'null',
  'undefined',
]
const WRONG_PORTS = [
  '',
  ':',
  ':0',
  ':80',
  ':443',
  `:${String(PORT + 1)}`,
  `:${String(PORT)}0`,
  `:0${String(PORT)}`,
  `:+${String(PORT)}`,
  `:${String(PORT)}.0`,
  ':0x21c2',
  `:${String(PORT + 65_536)}`,
  `:${String(PORT)} `,
  `: ${String(PORT)}`,
  `:${String(PORT)}:${String(PORT)}`,
  ':8642a',
  `:-${String(PORT)}`,
]

const HOST_ROWS: readonly Row[] = [
  ...REBINDING_NAMES.flatMap((name) => [hostRow(name), hostRow(`${name}:${String(PORT)}`)]),
  ...OTHER_SPELLINGS.flatMap((name) => [hostRow(name), hostRow(`${name}:${String(PORT)}`)]),
  ...WRONG_PORTS.flatMap((port) => [hostRow(`127.0.0.1${port}`), hostRow(`localhost${port}`), hostRow(`[::1]${port}`)]),
  { what: 'no Host', head: { host: [] }, status: 403 },
  { what: 'two Hosts', head: { host: [`127.0.0.1:${String(PORT)}`, 'evil.example'] }, status: 403 },
  { what: 'two Hosts, the bad first', head: { host: ['evil.example', `127.0.0.1:${String(PORT)}`] }, status: 403 },
  {
    what: 'the same Host twice',
    head: { host: [`127.0.0.1:${String(PORT)}`, `127.0.0.1:${String(PORT)}`] },
    status: 403,
  },
  { what: 'Hosts joined by a comma', head: { host: [`127.0.0.1:${String(PORT)}, evil.example`] }, status: 403 },
  ...ALLOWED_HOSTS.map((host): Row => ({ what: `own Host ${host}`, head: { host: [host] } })),
]

const FOREIGN_ORIGINS = [
  'null',
  '',
  'http://evil.example',
  'https://evil.example',
  `http://evil.example:${String(PORT)}`,
  `https://127.0.0.1:${String(PORT)}`,
  `https://localhost:${String(PORT)}`,
  'http://127.0.0.1',
  'http://localhost',
  `http://127.0.0.1:${String(PORT + 1)}`,
  `http://localhost:${String(PORT + 1)}`,
  'http://localhost:5173',
  'http://127.0.0.1:3000',
  `http://127.0.0.1:${String(PORT)}/`,
  `http://127.0.0.1:${String(PORT)}.evil.example`,
  `http://127.0.0.1:${String(PORT)}@evil.example`,
  `http://localhost.evil.example:${String(PORT)}`,
  `http://127.0.0.2:${String(PORT)}`,
  `http://2130706433:${String(PORT)}`,
  `http://[::ffff:127.0.0.1]:${String(PORT)}`,
  `http://localhost.:${String(PORT)}`,
  `HTTP://127.0.0.1:${String(PORT)}`,
  `ws://127.0.0.1:${String(PORT)}`,
  'file://',
  'chrome-extension://abcdefghijklmnop',
  'moz-extension://0000',
  'app://obsidian.md',
  'vscode-webview://x',
  'tauri://localhost',
  'capacitor://localhost',
  'about:blank',
  'data:',
  '*',
  `http://127.0.0.1:${String(PORT)} http://evil.example`,
  `http://127.0.0.1:${String(PORT)},http://evil.example`,
]
const ORIGIN_ROWS: readonly Row[] = [
  ...FOREIGN_ORIGINS.map(originRow),
  { what: 'two Origins', head: { origin: [`http://127.0.0.1:${String(PORT)}`, 'http://evil.example'] }, status: 403 },
  {
    what: 'the same Origin twice',
    head: { origin: [`http://127.0.0.1:${String(PORT)}`, `http://127.0.0.1:${String(PORT)}`] },
    status: 403,
  },
  { what: 'no Origin (a program)', head: { origin: [] } },
  ...['127.0.0.1', 'localhost', '[::1]'].map((name): Row => ({
    what: `own Origin ${name}`,
    head: { origin: [`http://${name}:${String(PORT)}`] },
  })),
]

const FETCH_ROWS: readonly Row[] = [
  {
    what: 'an image tag of another site',
    head: { method: 'GET', fetchSite: ['cross-site'], fetchMode: ['no-cors'] },
    status: 403,
  },
  {
    what: 'a script tag of another port',
    head: { method: 'GET', fetchSite: ['same-site'], fetchMode: ['no-cors'] },
    status: 403,
  },
  {
    what: 'a form of another site',
    head: { method: 'POST', fetchSite: ['cross-site'], fetchMode: ['navigate'] },
    status: 403,
  },
  { what: 'two fetch sites', head: { method: 'GET', fetchSite: ['same-origin', 'cross-site'] }, status: 403 },
  { what: 'an unknown fetch site', head: { method: 'GET', fetchSite: ['friendly'] }, status: 403 },
  { what: 'a link on another site', head: { method: 'GET', fetchSite: ['cross-site'], fetchMode: ['navigate'] } },
  { what: 'the address bar', head: { method: 'GET', fetchSite: ['none'], fetchMode: ['navigate'] } },
  {
    what: 'our own page',
    head: {
      method: 'POST',
      fetchSite: ['same-origin'],
      fetchMode: ['cors'],
      origin: [`http://127.0.0.1:${String(PORT)}`],
    },
  },
  { what: 'an absolute target', head: { target: 'http://evil.example/v1/models' }, status: 400 },
  { what: 'an absolute target of ours', head: { target: `http://127.0.0.1:${String(PORT)}/v1/models` }, status: 400 },
  { what: 'the asterisk target', head: { target: '*' }, status: 400 },
  { what: 'an empty target', head: { target: '' }, status: 400 },
]

const TOKEN_ROWS: readonly Row[] = [
  [],
  [''],
  ['Bearer'],
  ['Bearer '],
  [`Bearer ${TOKEN}x`],
  [`Bearer ${TOKEN.slice(1)}`],
  [`Bearer ${TOKEN.toLowerCase()}`],
  [`Bearer ${TOKEN} ${TOKEN}`],
  [`Bearer ${TOKEN},`],
  [TOKEN],
  [`Basic ${TOKEN}`],
  [`Basic ${btoa(`:${TOKEN}`)}`],
  [`Token ${TOKEN}`],
  [`Bearer: ${TOKEN}`],
  [`Bearer=${TOKEN}`],
  [`Bearer "${TOKEN}"`],
  [`Bearer\t${TOKEN}`],
  [` Bearer ${TOKEN}`],
  [`Bearer ${TOKEN}\0`],
  [`Bearer ${TOKEN}\n`],
  [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`],
  [`Bearer ${TOKEN}`, 'Bearer x'],
  ['Bearer x', `Bearer ${TOKEN}`],
  ['Bearer null'],
  ['Bearer undefined'],
  ['Bearer sk-none'],
  ['Bearer *'],
].map(tokenRow)

const TYPE_ROWS: readonly Row[] = [
  [],
  [''],
  ['text/plain'],
  ['text/plain;application/json'],
  ['text/plain; charset=utf-8'],
  ['application/x-www-form-urlencoded'],
  ['multipart/form-data; boundary=x'],
  ['application/jsonp'],
  ['application/json5'],
  ['application/ld+json'],
  ['application/json, text/plain'],
  ['application/json; charset=utf-16'],
  ['application/json; charset=iso-8859-1'],
  ['application/json; x=y'],
  ['json'],
  ['text/json'],
  ['*/*'],
  ['application/json', 'application/json'],
  ['application/json', 'text/plain'],
  ['application/json\0'],
].map(typeRow)

const isToken = tokenCheck(TOKEN)
const NETWORK_NAMES = ['192.168.7.7', '10.0.0.9', 'plexus.local']
const rules = guardRules(PORT, NETWORK_NAMES)
const closedRules = guardRules(PORT)

function headWith(head: Partial<RequestHead>): RequestHead {
  return {
    method: 'POST',
    target: '/v1/chat/completions',
    host: [`127.0.0.1:${String(PORT)}`],
    origin: [],
    authorization: [`Bearer ${TOKEN}`],
    contentType: ['application/json'],
    contentEncoding: [],
    fetchSite: [],
    fetchMode: [],
    isLocal: true,
    isSecure: false,
    ...head,
  }
}

function judge(head: Partial<RequestHead>): number | undefined {
  const whole = headWith(head)
  return (refuseOutsider(whole, closedRules) ?? refuseStranger(whole.authorization, isToken) ?? refuseBodyType(whole))
    ?.status
}

/** What the guard makes of requests while the local network is open: the zone, or the status of the refusal. */
interface ZoneRow {
  readonly what: string
  readonly head: Partial<RequestHead>
  readonly zone: 'here' | 'network' | number
}

const port = String(PORT)
const ZONE_ROWS: readonly ZoneRow[] = [
  ...['127.0.0.1', 'localhost', '[::1]'].flatMap((name): ZoneRow[] => [
    { what: `${name} from this machine`, head: { host: [`${name}:${port}`] }, zone: 'here' },
    // whatever the network calls itself, it is not this machine
    { what: `${name} from the network`, head: { host: [`${name}:${port}`], isLocal: false }, zone: 403 },
    {
      what: `${name} from the network by TLS`,
      head: { host: [`${name}:${port}`], isLocal: false, isSecure: true },
      zone: 403,
    },
  ]),
  ...['192.168.7.7', '10.0.0.9', 'plexus.local', 'PLEXUS.local'].flatMap((name): ZoneRow[] => [
    { what: `${name} from the network`, head: { host: [`${name}:${port}`], isLocal: false }, zone: 'network' },
    { what: `${name} from this machine`, head: { host: [`${name}:${port}`] }, zone: 'network' },
    { what: `${name} with another port`, head: { host: [`${name}:80`], isLocal: false }, zone: 403 },
    { what: `${name} without its port`, head: { host: [name], isLocal: false }, zone: 403 },
    { what: `${name} with a trailing dot`, head: { host: [`${name}.:${port}`], isLocal: false }, zone: 403 },
    {
      what: `${name} with a page of its own`,
      head: { host: [`${name}:${port}`], isLocal: false, origin: [`http://${name.toLowerCase()}:${port}`] },
      zone: 'network',
    },
    {
      what: `${name} by TLS with a page of its own`,
      head: {
        host: [`${name}:${port}`],
        isLocal: false,
        isSecure: true,
        origin: [`https://${name.toLowerCase()}:${port}`],
      },
      zone: 'network',
    },
    {
      what: `${name} by TLS with its page in the clear`,
      head: { host: [`${name}:${port}`], isLocal: false, isSecure: true, origin: [`http://${name}:${port}`] },
      zone: 403,
    },
    {
      what: `${name} with a page of loopback`,
      head: { host: [`${name}:${port}`], origin: [`http://127.0.0.1:${port}`] },
      zone: 403,
    },
  ]),
  ...[
    '192.168.7.8',
    '10.0.0.10',
    '192.168.7.7.evil.example',
    'evil.example',
    'plexus.local.evil.example',
    'x.plexus.local',
    '192.168.007.7',
    '3232237319',
    '0xc0a80707',
    '[::ffff:192.168.7.7]',
  ].map((name): ZoneRow => ({
    what: `a name that is not ours: ${name}`,
    head: { host: [`${name}:${port}`], isLocal: false },
    zone: 403,
  })),
  {
    what: 'two Hosts, one of each kind',
    head: { host: [`127.0.0.1:${port}`, `192.168.7.7:${port}`] },
    zone: 403,
  },
  {
    what: 'a page of the network talking to this machine',
    head: { host: [`127.0.0.1:${port}`], origin: [`http://192.168.7.7:${port}`] },
    zone: 403,
  },
  {
    what: 'a secure page of loopback',
    head: { host: [`127.0.0.1:${port}`], isSecure: true, origin: [`https://127.0.0.1:${port}`] },
    zone: 'here',
  },
]

const TABLE = [...HOST_ROWS, ...ORIGIN_ROWS, ...FETCH_ROWS, ...TOKEN_ROWS, ...TYPE_ROWS]

describe('the guard', () => {
  test('is asked at least 200 different things', () => {
    expect(new Set(TABLE.map(({ what }) => what)).size).toBeGreaterThanOrEqual(200)
  })

  test.each(TABLE)('$what: $status', ({ head, status }) => {
    expect(judge(head)).toBe(status)
  })

  test.each(ZONE_ROWS)('with the network open, $what: $zone', ({ head, zone }) => {
    const whole = headWith(head)
    expect(refuseOutsider(whole, rules)?.status ?? zoneOf(whole, rules)).toBe(zone)
  })

  test.each(ZONE_ROWS.filter(({ zone }) => zone === 'network'))(
    'with the network closed, $what is refused',
    ({ head }) => {
      expect(refuseOutsider(headWith(head), closedRules)?.status).toBe(403)
    },
  )

  test('knows its bare names on the default ports only', () => {
    expect(guardRules(80).hosts.has('127.0.0.1')).toBe(true)
    expect(guardRules(443, ['plexus.local']).networkHosts.has('plexus.local')).toBe(true)
    expect(guardRules(8080).hosts.has('127.0.0.1')).toBe(false)
  })

  test('compares tokens of every length without an exception', () => {
    for (const candidate of ['', 'x', TOKEN.repeat(1_000), '\ud800', '日本']) expect(isToken(candidate)).toBe(false)
    expect(isToken(TOKEN)).toBe(true)
  })
})

describe('over a socket', () => {
  let mesh: FakeMesh
  let gateway: ServingGateway
  beforeAll(async () => {
    mesh = createFakeMesh()
    gateway = await createGateway({
      mesh,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      token: TOKEN,
      pageDir: 'none',
    }).listen({ port: 0 })
  })
  afterAll(() => gateway.close())

  const exchange = (head: readonly string[], body = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(gateway.port, '127.0.0.1')
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', reject)
      socket.on('close', () => {
        resolve(Buffer.concat(chunks).toString())
      })
      socket.write([...head, 'Connection: close', '', body].join('\r\n'))
    })
  const own = () => `Host: 127.0.0.1:${String(gateway.port)}`
  const BODY = JSON.stringify({ model: 'fake-135m', messages: [{ role: 'user', content: 'Hi' }] })
  const post = (extra: readonly string[], host = own()) =>
    exchange(['POST /v1/chat/completions HTTP/1.1', host, `Content-Length: ${String(BODY.length)}`, ...extra], BODY)
  const JSON_TYPE = 'Content-Type: application/json'
  const BEARER = `Authorization: Bearer ${TOKEN}`

  test('the right request is answered', async () => {
    expect(await post([JSON_TYPE, BEARER])).toMatch(/^HTTP\/1\.1 200 /)
  })

  test.each([
    ['two Host headers', [JSON_TYPE, BEARER, 'Host: evil.example']],
    ['two equal Host headers', [JSON_TYPE, BEARER, 'Host: 127.0.0.1']],
    ['a foreign Origin', [JSON_TYPE, BEARER, 'Origin: http://evil.example']],
    ['a null Origin', [JSON_TYPE, BEARER, 'Origin: null']],
    ['text/plain', [BEARER, 'Content-Type: text/plain']],
    ['two content types', [BEARER, JSON_TYPE, 'Content-Type: text/plain']],
    ['x-api-key', [JSON_TYPE, `X-Api-Key: ${TOKEN}`]],
    ['api-key', [JSON_TYPE, `Api-Key: ${TOKEN}`]],
    ['a cookie', [JSON_TYPE, `Cookie: token=${TOKEN}`]],
    ['a query', [JSON_TYPE, `X-Original-Url: /?token=${TOKEN}`]],
    ['two tokens', [JSON_TYPE, BEARER, 'Authorization: Bearer x']],
    ['a forwarded Host', [JSON_TYPE, 'Authorization: Bearer x', 'X-Forwarded-Host: 127.0.0.1']],
  ])('%s never reaches the mesh', async (_what, headers) => {
    const before = mesh.asks.length
    expect(await post(headers)).toMatch(/^HTTP\/1\.1 4\d\d [^]*"error":\{"message":"/)
    expect(mesh.asks.length).toBe(before)
  })

  test.each(['evil.example', 'localhost', '127.0.0.1:1', '[::1', 'a b', '127.0.0.1:4321@evil', '', '\u00e9'])(
    'the Host %j is refused',
    async (host) => {
      expect(await post([JSON_TYPE, BEARER], `Host: ${host}`)).toMatch(/^HTTP\/1\.1 4\d\d /)
    },
  )

  test('no Host at all, and HTTP/1.0 without one, are refused', async () => {
    expect(await exchange(['GET /health HTTP/1.1'])).toMatch(/^HTTP\/1\.1 400 /)
    expect(await exchange(['GET /health HTTP/1.0'])).toMatch(/^HTTP\/1\.1 4\d\d /)
  })

  test.each([
    'http://evil.example/health',
    'http://127.0.0.1/health',
    '*',
    'evil.example:80',
    '\\health',
    '/health\\..',
  ])('the target %s is refused', async (target) => {
    expect(await exchange([`GET ${target} HTTP/1.1`, own(), BEARER])).toMatch(/^HTTP\/1\.1 4\d\d /)
  })

  test.each(['TRACE', 'TRACK', 'CONNECT', 'PROPFIND', 'PATCH'])(
    '%s changes nothing and breaks nothing',
    async (method) => {
      const answer = await exchange([`${method} /v1/chat/completions HTTP/1.1`, own(), BEARER])
      expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d |$)/)
      expect(answer).not.toContain(TOKEN)
    },
  )

  test('garbage and smuggled lengths are 400 in JSON', async () => {
    expect(await exchange(['not http'])).toMatch(/^HTTP\/1\.1 400 [^]*"error":\{/)
    const smuggled = await exchange(
      [
        'POST /v1/chat/completions HTTP/1.1',
        own(),
        BEARER,
        JSON_TYPE,
        'Content-Length: 5',
        'Transfer-Encoding: chunked',
      ],
      '0\r\n\r\n',
    )
    expect(smuggled).toMatch(/^HTTP\/1\.1 400 /)
    const header = await exchange(['GET /health HTTP/1.1', own(), `X-Long: ${'a'.repeat(70_000)}`])
    expect(header).toMatch(/^HTTP\/1\.1 431 [^]*"error":\{/)
  })

  test('another interface than loopback is never listened on', async () => {
    const options = { mesh, clock: systemClock, random: systemRandom, log: silentLogger, token: TOKEN, pageDir: 'none' }
    for (const host of ['0.0.0.0', '::', '192.168.0.1', 'example.org', '']) {
      await expect(createGateway(options).listen({ port: 0, host })).rejects.toMatchObject({ code: 'config-invalid' })
    }
    expect(() => createGateway({ ...options, token: ' ' })).toThrow(MeshError)
  })
})
