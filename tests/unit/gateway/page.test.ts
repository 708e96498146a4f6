import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestGateway, errorOf } from '../../kit/gateway.ts'

const SCRIPT = `export const words = ${JSON.stringify(Array.from({ length: 400 }, (_, index) => `word ${String(index)}`))}\n`
const DOCUMENT = { authorization: undefined, accept: 'text/html,application/xhtml+xml' }
const ASSET = { authorization: undefined, accept: '*/*' }

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-page-'))
  await mkdir(join(dir, 'page/assets'), { recursive: true })
  await writeFile(join(dir, 'outside.txt'), 'outside')
  await writeFile(join(dir, 'page/index.html'), '<!doctype html><title>Shell</title>')
  await writeFile(join(dir, 'page/manifest.webmanifest'), '{}')
  await writeFile(join(dir, 'page/sw.js'), 'self')
  await writeFile(join(dir, 'page/assets/main-1a2b.js'), SCRIPT)
  await writeFile(join(dir, 'page/assets/icon-3c.png'), Buffer.alloc(2_000))
  await symlink(join(dir, 'outside.txt'), join(dir, 'page/link.txt')).catch(() => {})
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const gateway = () => createTestGateway({ pageDir: join(dir, 'page') })

describe('the page', () => {
  test('is served without a token, with the whole header set', async () => {
    const response = await gateway().send('/', { headers: DOCUMENT })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('Shell')
    const headers = Object.fromEntries(response.headers)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; manifest-src 'self'; connect-src 'self' ws: wss: blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
  })

  test('has hashed assets that never change and everything else asked for again', async () => {
    const { send } = gateway()
    const asset = await send('/assets/main-1a2b.js', { headers: ASSET })
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(asset.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(asset.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect((await send('/sw.js', { headers: ASSET })).headers.get('cache-control')).toBe('no-cache')
    const manifest = await send('/manifest.webmanifest', { headers: ASSET })
    expect(manifest.headers.get('content-type')).toContain('application/manifest+json')
  })

  test.each(['/chats/abc', '/devices', '/a/b/c'])('answers a visit to %s with its shell', async (path) => {
    const response = await gateway().send(path, { headers: DOCUMENT })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('Shell')
  })

  test.each(['/assets/gone-9z.js', '/assets/gone', '/gone.js', '/gone.png', '/link.txt', '/assets', '/assets/'])(
    'never answers %s with HTML',
    async (path) => {
      const response = await gateway().send(path, { headers: DOCUMENT })
      expect(await errorOf(response)).toMatchObject({ status: 404 })
    },
  )

  test('answers no program that asks for a place inside it', async () => {
    expect((await gateway().send('/devices', { headers: ASSET })).status).toBe(404)
  })

  test('is not sent again to a reader that has it', async () => {
    const { send } = gateway()
    const first = await send('/assets/main-1a2b.js', { headers: ASSET })
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{27}"$/)
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await send('/assets/main-1a2b.js', { headers: { ...ASSET, 'if-none-match': known } })
      expect(again.status).toBe(304)
      expect(await again.text()).toBe('')
      expect(again.headers.get('content-security-policy')).not.toBeNull()
    }
  })

  test('itself is always sent: another server at this address may have left one with our tag', async () => {
    const { send } = gateway()
    const etag = (await send('/', { headers: DOCUMENT })).headers.get('etag') ?? ''
    expect((await send('/', { headers: { ...DOCUMENT, 'if-none-match': etag } })).status).toBe(200)
  })

  test('travels compressed to those who can read that, each with its own tag', async () => {
    const { send } = gateway()
    const read = async (accepted: string | undefined) => {
      const response = await send('/assets/main-1a2b.js', { headers: { ...ASSET, 'accept-encoding': accepted } })
      const bytes = Buffer.from(await response.arrayBuffer())
      expect(response.headers.get('vary')).toBe('accept-encoding')
      expect(response.headers.get('content-length')).toBe(String(bytes.byteLength))
      return { encoding: response.headers.get('content-encoding'), etag: response.headers.get('etag'), bytes }
    }
    const plain = await read(undefined)
    const brotli = await read('gzip, deflate, br')
    const gzip = await read('gzip;q=1.0, br;q=0')
    expect([plain.encoding, brotli.encoding, gzip.encoding]).toEqual([null, 'br', 'gzip'])
    expect(plain.bytes.toString()).toBe(SCRIPT)
    expect(brotliDecompressSync(brotli.bytes).toString()).toBe(SCRIPT)
    expect(gunzipSync(gzip.bytes).toString()).toBe(SCRIPT)
    expect(new Set([plain.etag, brotli.etag, gzip.etag]).size).toBe(3)
    expect((await read('br')).bytes.equals(brotli.bytes)).toBe(true)
  })

  test('leaves small files and pictures as they are', async () => {
    const { send } = gateway()
    for (const path of ['/', '/assets/icon-3c.png']) {
      const response = await send(path, { headers: { ...ASSET, 'accept-encoding': 'br' } })
      expect(response.headers.get('content-encoding')).toBeNull()
    }
  })

  test('that is built anew is served anew', async () => {
    const own = await mkdtemp(join(tmpdir(), 'plexus-build-'))
    const { send } = createTestGateway({ pageDir: own })
    const missing = await send('/', { headers: DOCUMENT })
    expect(missing.status).toBe(503)
    expect(await missing.text()).toContain('npm run build')
    expect(missing.headers.get('content-security-policy')).toContain("default-src 'none'")
    await writeFile(join(own, 'index.html'), 'first')
    expect(await (await send('/', { headers: DOCUMENT })).text()).toBe('first')
    await mkdir(join(own, 'assets'))
    await writeFile(join(own, 'assets/new-1.js'), 'new')
    await writeFile(join(own, 'index.html'), 'second build')
    expect(await (await send('/', { headers: DOCUMENT })).text()).toBe('second build')
    expect((await send('/assets/new-1.js', { headers: ASSET })).status).toBe(200)
    await rm(own, { recursive: true })
  })
})
