import { describe, expect, test } from 'vitest'
import { createGatewayApp } from '../../../helper/gateway/app.ts'
import { tokenCheck } from '../../../helper/gateway/guard.ts'
import { createPageFiles } from '../../../helper/gateway/page-files.ts'
import { guardRules } from '../../../helper/door/index.ts'
import { silentLogger } from '../../../mesh/base/index.ts'
import { checkOriginProof, loadDeviceKey, originProof } from '../../../mesh/identity/index.ts'
import { fromBase64url, toBase64url } from '../../../mesh/wire/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createFakeMesh } from '../../kit/fake-mesh.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'

const PORT = 4321
const nonce = new Uint8Array(32).fill(7)
const key = await loadDeviceKey(createMemoryStore(), createSeededRandom('helper'))
const clock = createVirtualClock()

const app = createGatewayApp({
  mesh: createFakeMesh(),
  clock,
  random: createSeededRandom('gateway'),
  log: silentLogger,
  isToken: tokenCheck('token'),
  files: createPageFiles('no-such-folder'),
  rules: () => guardRules(PORT),
  prove: async (origin, number) => ({ device: key.id, proof: await originProof(key, origin, number) }),
})

const send = (
  path: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Response> =>
  Promise.resolve(
    app.request(`http://127.0.0.1:${String(PORT)}${path}`, {
      ...init,
      headers: { host: `127.0.0.1:${String(PORT)}`, ...init.headers },
    }),
  )
const ask = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  send('/plexus/origin', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

describe('a page that asks whose it is', () => {
  test.each([`127.0.0.1:${String(PORT)}`, `localhost:${String(PORT)}`])(
    'hears a proof for the address it asked at and no other: %s',
    async (host) => {
      const answer = (await (await ask({ nonce: toBase64url(nonce) }, { host })).json()) as {
        device: string
        proof: string
      }
      expect(answer.device).toBe(key.id)
      const proof = fromBase64url(answer.proof)
      expect(await checkOriginProof(key.id, `http://${host}`, nonce, proof)).toBe(true)
      expect(await checkOriginProof(key.id, 'http://127.0.0.1:9999', nonce, proof)).toBe(false)
      expect(await checkOriginProof(key.id, `http://${host}`, new Uint8Array(32), proof)).toBe(false)
    },
  )

  test.each([
    {},
    { nonce: 1 },
    { nonce: '' },
    { nonce: toBase64url(new Uint8Array(31)) },
    { nonce: '!'.repeat(43) },
    '[',
  ])('gets nothing signed for %j', async (body) => {
    expect((await ask(body)).status).toBe(400)
  })

  test('gets nothing signed for what is too long, of a wrong type, or from a page of another origin', async () => {
    expect((await ask({ nonce: 'a'.repeat(1_000) })).status).toBe(413)
    expect((await ask({ nonce: toBase64url(nonce) }, { 'content-type': 'text/plain' })).status).toBe(400)
    expect((await ask({ nonce: toBase64url(nonce) }, { origin: 'http://evil.example' })).status).toBe(403)
    expect((await ask({ nonce: toBase64url(nonce) }, { host: 'evil.example' })).status).toBe(403)
  })
})

describe('a browser that has a worker of somebody else', () => {
  const worker = { 'service-worker': 'script' }
  const visit = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }

  test('gets one that puts it away, and loads pages past its own cache for a while', async () => {
    expect((await send('/', { headers: visit })).headers.get('clear-site-data')).toBeNull()
    const response = await send('/other/place.js', { headers: worker })
    expect(response.status).toBe(200)
    expect(response.headers.get('service-worker-allowed')).toBe('/')
    expect(await response.text()).toContain('unregister')
    expect((await send('/', { headers: visit })).headers.get('clear-site-data')).toBe('"cache"')
    clock.advance(10 * 60 * 1_000)
    expect((await send('/', { headers: visit })).headers.get('clear-site-data')).toBeNull()
  })

  test('keeps the page’s own', async () => {
    expect(await (await send('/sw.js', { headers: worker })).text()).not.toContain('unregister')
    expect((await send('/other.js')).status).toBe(404)
  })
})
