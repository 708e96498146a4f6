import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isMeshError, silentLogger, type ErrorCode, type MeshError } from '../../mesh/base/index.ts'
import { createModelLibrary, createModelSources, type ModelLibrary } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { tinyGguf } from '../kit/gguf.ts'
import { sha256 } from '../kit/model-source.ts'

const MODEL = tinyGguf({ width: 32, layers: 1 })
const COMMIT = 'c'.repeat(40)
const TOKEN = 'a-secret-of-the-hub'

interface Seen {
  readonly server: 'hub' | 'store'
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A stand-in for the hub: one server says where the file is, another one, of another origin, has it. */
class StandIn {
  readonly seen: Seen[] = []
  readonly #servers: Server[] = []
  hub = ''
  store = ''
  metadata: Record<string, string> = {
    'x-linked-etag': `"${sha256(MODEL)}"`,
    'x-linked-size': String(MODEL.byteLength),
    'x-repo-commit': COMMIT,
  }
  redirect = (): string => `${this.store}/blob`
  blob: Answer = (request, response) => {
    this.sendRange(request, response, MODEL.byteLength)
  }

  async start(): Promise<void> {
    this.hub = await this.#listen('hub', (_, response) => {
      response.writeHead(302, { ...this.metadata, location: this.redirect() }).end()
    })
    this.store = await this.#listen('store', (request, response) => {
      this.blob(request, response)
    })
  }

  /** Sends the asked range, and breaks the line after so many bytes. */
  sendRange(request: IncomingMessage, response: ServerResponse, mostBytes: number): void {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const whole = MODEL.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': String(whole.byteLength),
      ...(from > 0
        ? { 'content-range': `bytes ${String(from)}-${String(MODEL.byteLength - 1)}/${String(MODEL.byteLength)}` }
        : {}),
    })
    if (mostBytes >= whole.byteLength) response.end(whole)
    else response.write(whole.subarray(0, mostBytes), () => response.destroy())
  }

  async #listen(name: Seen['server'], answer: Answer): Promise<string> {
    const server = createServer((request, response) => {
      this.seen.push({
        server: name,
        method: request.method ?? '',
        path: request.url ?? '',
        range: request.headers.range,
        authorization: request.headers.authorization,
      })
      answer(request, response)
    })
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

let folder: string
let standIn: StandIn
let library: ModelLibrary

async function openLibrary(allowLoopback = true, baseUrl = standIn.hub): Promise<ModelLibrary> {
  const sources = createModelSources({ hub: { baseUrl, allowLoopback, token: TOKEN, retryMs: 1 } })
  return createModelLibrary({ dataDir: folder, clock: systemClock, log: silentLogger, offline: false, sources })
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-hub-'))
  standIn = new StandIn()
  await standIn.start()
  library = await openLibrary()
})
afterEach(async () => {
  await library.close()
  await standIn.stop()
  await rm(folder, { recursive: true, force: true })
})

const NAME = 'hf:owner/name/tiny-Q8_0.gguf'

async function refused(code: ErrorCode, name = NAME, from = library): Promise<MeshError> {
  try {
    await from.get(name)
  } catch (error) {
    expect(await readdir(join(folder, 'models', 'blobs'))).toEqual([])
    if (isMeshError(error, code)) return error
    throw error
  }
  return expect.fail('It was fetched.')
}

describe('a model from the hub', () => {
  test('its hash comes from the metadata, its bytes from where the hub points, of the commit that was looked at', async () => {
    const record = await library.get(NAME)
    expect(record).toMatchObject({ id: 'tiny-q8_0', sha256: sha256(MODEL), sizeBytes: MODEL.byteLength })
    expect(standIn.seen.map(({ server, method }) => `${server} ${method}`)).toEqual([
      'hub HEAD',
      'hub GET',
      'store GET',
    ])
    expect(standIn.seen[0]?.path).toBe('/owner/name/resolve/main/tiny-Q8_0.gguf')
    expect(standIn.seen[1]?.path).toBe(`/owner/name/resolve/${COMMIT}/tiny-Q8_0.gguf`)
  })

  test('the token goes to the hub and to nobody it points to', async () => {
    await library.get(NAME)
    expect(
      standIn.seen
        .filter(({ server }) => server === 'hub')
        .every(({ authorization }) => authorization === `Bearer ${TOKEN}`),
    ).toBe(true)
    expect(standIn.seen.filter(({ server }) => server === 'store').map(({ authorization }) => authorization)).toEqual([
      undefined,
    ])
  })

  test('a line that breaks is taken up again where it broke', async () => {
    let tries = 0
    standIn.blob = (request, response) => {
      tries += 1
      standIn.sendRange(request, response, tries < 3 ? 40_000 : Infinity)
    }
    expect((await library.get(NAME)).sha256).toBe(sha256(MODEL))
    expect(standIn.seen.flatMap(({ server, range }) => (server === 'store' ? [range] : []))).toEqual([
      undefined,
      'bytes=40000-',
      'bytes=80000-',
    ])
  })

  test('a server without ranges sends everything again, and the file is still whole', async () => {
    let tries = 0
    standIn.blob = (request, response) => {
      tries += 1
      delete request.headers.range
      standIn.sendRange(request, response, tries === 1 ? 40_000 : Infinity)
    }
    expect((await library.get(NAME)).sha256).toBe(sha256(MODEL))
  })

  test('a line that never brings a byte is given up', async () => {
    standIn.blob = (_, response) => response.destroy()
    await refused('no-source')
    expect(standIn.seen.filter(({ server }) => server === 'store')).toHaveLength(5)
  })

  test('other bytes than the metadata promised are thrown away', async () => {
    standIn.blob = (_, response) => {
      const other = MODEL.slice()
      other[other.byteLength - 1] = (other.at(-1) ?? 0) ^ 1
      response.end(other)
    }
    await refused('integrity')
  })

  test('more bytes than promised are not taken', async () => {
    standIn.metadata = { ...standIn.metadata, 'x-linked-size': String(MODEL.byteLength - 1_000) }
    await refused('integrity')
  })

  test('another part of the file than asked for is not taken', async () => {
    let tries = 0
    standIn.blob = (request, response) => {
      tries += 1
      if (tries === 1) standIn.sendRange(request, response, 40_000)
      else
        response.writeHead(206, { 'content-range': `bytes 0-9/${String(MODEL.byteLength)}` }).end(MODEL.subarray(0, 10))
    }
    await refused('integrity')
  })

  test.each([
    ['no hash', { 'x-linked-etag': '' }],
    ['a hash of another kind', { 'x-linked-etag': '"d41d8cd98f00b204e9800998ecf8427e"' }],
    ['a hash that is a path', { 'x-linked-etag': '"../../../../etc/passwd"' }],
    ['no size', { 'x-linked-size': '' }],
    ['a size of minus one', { 'x-linked-size': '-1' }],
    ['a commit that is a path', { 'x-repo-commit': '../../evil' }],
  ])('metadata with %s is refused and nothing is fetched', async (_, change) => {
    standIn.metadata = { ...standIn.metadata, ...change }
    await refused('integrity')
    expect(standIn.seen.filter(({ method }) => method === 'GET')).toEqual([])
  })

  test('a size nobody has a disk for is refused', async () => {
    standIn.metadata = { ...standIn.metadata, 'x-linked-size': String(2 ** 50) }
    await refused('too-large')
  })

  test.each([
    'hf:owner/name/../../x.gguf',
    'hf:owner/name/a//b.gguf',
    'hf:owner/na me/x.gguf',
    'hf:../name/x.gguf',
    'hf:owner/name/x%2e.gguf',
    'hf:owner/name/x.gguf?download=1.gguf',
  ])('the name %s never reaches the network', async (name) => {
    await expect(library.get(name)).rejects.toMatchObject({ name: 'MeshError' })
    expect(standIn.seen).toEqual([])
  })
})

describe('where the hub may point', () => {
  test.each([
    'http://93.184.216.34/blob',
    'https://10.0.0.1/blob',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/blob',
    'https://[::ffff:127.0.0.1]/blob',
    'https://2130706433/blob',
    'https://0x7f.1/blob',
    'https://192.168.0.1:443/blob',
    'ftp://93.184.216.34/blob',
    'file:///etc/passwd',
    'https://user:password@93.184.216.34/blob',
    'http://[bad',
  ])('%s is refused', async (place) => {
    standIn.redirect = () => place
    const strict = await openLibrary()
    await refused('refused', NAME, strict)
    expect(standIn.seen.filter(({ server }) => server === 'store')).toEqual([])
    await strict.close()
  })

  test('a circle of redirects ends', async () => {
    standIn.redirect = () => `${standIn.hub}/owner/name/resolve/again`
    await refused('refused')
    expect(standIn.seen.length).toBeLessThan(10)
  })

  test('without the permission of a test, a hub on this machine is not asked', async () => {
    const strict = await openLibrary(false)
    await refused('refused', NAME, strict)
    expect(standIn.seen).toEqual([])
    await strict.close()
  })

  test('a name that leads to this machine is refused when the connection is made', async () => {
    const strict = await openLibrary(false, standIn.hub.replace('http://127.0.0.1', 'https://localhost'))
    await refused('refused', NAME, strict)
    expect(standIn.seen).toEqual([])
    await strict.close()
  })
})
