import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { createFakeMesh, FAKE_DEVICE, fakeModel } from '../../kit/fake-mesh.ts'
import { createTestGateway, errorOf } from '../../kit/gateway.ts'

describe('/v1/models', () => {
  test('lists what the mesh has, in its order, with created in seconds', async () => {
    const mesh = createFakeMesh({ models: [fakeModel('b'), fakeModel('a', 5_000)] })
    const response = await createTestGateway({ mesh }).send('/v1/models')
    expect(await response.json()).toEqual({
      object: 'list',
      data: [
        { id: 'b', object: 'model', created: 1_700_000_000, owned_by: 'plexus' },
        { id: 'a', object: 'model', created: 5, owned_by: 'plexus' },
      ],
    })
  })

  test('finds one by id, also with a slash, bare or escaped', async () => {
    const { send } = createTestGateway({ mesh: createFakeMesh({ models: [fakeModel('maker/model 1')] }) })
    for (const path of ['/v1/models/maker/model%201', '/v1/models/maker%2Fmodel%201']) {
      expect(await (await send(path)).json()).toMatchObject({ id: 'maker/model 1', object: 'model' })
    }
  })

  test('says 404 model_not_found for one that is not there', async () => {
    const response = await createTestGateway().send('/v1/models/none')
    expect(await errorOf(response)).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
  })
})

describe('addresses and methods', () => {
  test.each([
    ['POST', '/v1/models', 'GET, HEAD'],
    ['DELETE', '/v1/models/fake-135m', 'GET, HEAD'],
    ['GET', '/v1/chat/completions', 'POST'],
    ['OPTIONS', '/v1/chat/completions', 'POST'],
    ['PUT', '/v1/chat/completions', 'POST'],
    ['POST', '/health', 'GET, HEAD'],
    ['DELETE', '/plexus.json', 'GET, HEAD'],
    ['POST', '/api/v1/events', 'GET'],
    ['POST', '/', 'GET, HEAD'],
  ])('%s %s is a 405 with Allow', async (method, path, allow) => {
    const response = await createTestGateway().send(path, { method })
    expect(await errorOf(response)).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(response.headers.get('allow')).toBe(allow)
  })

  test.each([
    '/v1',
    '/v1/',
    '/v1/nothing',
    '/v1/chat',
    '/api/v1/nothing',
    '/nothing',
    '/nothing.js',
    '/v1/models/',
    '//v1/models',
  ])('%s is a 404 in JSON', async (path) => {
    const response = await createTestGateway().send(path)
    expect(await errorOf(response)).toMatchObject({ status: 404 })
  })

  test.each(['/v1/models', '/v1/nothing', '/v1', '/api/v1/events', '/api/nothing', '/v1/chat/completions'])(
    '%s wants the token before it says anything',
    async (path) => {
      const response = await createTestGateway().send(path, { headers: { authorization: undefined } })
      expect(await errorOf(response)).toMatchObject({ status: 401, code: 'missing_api_key' })
    },
  )

  test('HEAD has the headers of GET and no body', async () => {
    const response = await createTestGateway().send('/v1/models', { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })

  test('events without a socket are told where to go', async () => {
    const response = await createTestGateway().send('/api/v1/events')
    expect(response.headers.get('upgrade')).toBe('websocket')
    expect(await errorOf(response)).toMatchObject({ status: 426 })
  })

  test('no answer invites another origin', async () => {
    const { send, chat } = createTestGateway()
    for (const response of [await send('/v1/models'), await send('/health'), await chat(), await send('/nothing')]) {
      expect(response.headers.has('access-control-allow-origin')).toBe(false)
      expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
  })
})

describe('without a token', () => {
  const headers = { authorization: undefined }

  test('/health says that it runs and nothing private', async () => {
    const mesh = createFakeMesh()
    const { send } = createTestGateway({ mesh })
    expect(await (await send('/health', { headers })).json()).toEqual({ status: 'ok', ready: true })
    mesh.setModels([])
    expect(await (await send('/health', { headers })).json()).toEqual({ status: 'ok', ready: false })
  })

  test('/plexus.json says where the peer is', async () => {
    const { send } = createTestGateway()
    expect(await (await send('/plexus.json', { headers })).json()).toEqual({
      peerId: FAKE_DEVICE,
      addresses: [`/ip4/127.0.0.1/tcp/4001/ws/p2p/${FAKE_DEVICE}`],
      name: 'Büro – Rechner',
      lan: false,
      page: null,
      trust: null,
      guests: false,
    })
  })
})

describe('a mount', () => {
  const app = new Hono()
    .post('/ask', (context) => context.json({ mounted: true }))
    .get('/fail', () => {
      throw new TypeError('inner words')
    })
  const withAuth = (auth: 'own' | 'token') => createTestGateway({ mounts: [{ path: '/local', app, auth }] })
  const bare = { authorization: undefined }

  test('with a credential of its own is reached without the token', async () => {
    const response = await withAuth('own').send('/local/ask', { body: '{}', headers: bare })
    expect(await response.json()).toEqual({ mounted: true })
  })

  test('behind the token is not', async () => {
    expect((await withAuth('token').send('/local/ask', { body: '{}', headers: bare })).status).toBe(401)
    expect((await withAuth('token').send('/local/ask', { body: '{}' })).status).toBe(200)
  })

  test('has the same names, the same types and the same errors as everything else', async () => {
    const { send } = withAuth('own')
    expect((await send('/local/ask', { body: '{}', headers: { host: 'evil.example' } })).status).toBe(403)
    expect((await send('/local/ask', { body: '{}', headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    expect(await errorOf(await send('/local/none'))).toMatchObject({ status: 404 })
    const failed = await errorOf(await send('/local/fail'))
    expect(failed.status).toBe(500)
    expect(failed.message).not.toContain('inner words')
  })
})
