import { afterEach, expect, test } from 'vitest'
import { serve, type ServerType } from '@hono/node-server'
import { Hono } from 'hono'
import { createLocalApi, createLocalClient, type LocalClient } from '../../../helper/local/index.ts'
import { MeshError, silentLogger } from '../../../mesh/base/index.ts'
import { fakeHost, PHONE, SELF } from './fake-host.ts'

const CREDENTIAL = 'c'.repeat(43)
const servers: ServerType[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => {
      server.close(resolve)
      if ('closeAllConnections' in server) server.closeAllConnections()
    })
  }
})

function app(host = fakeHost()): Hono {
  return new Hono().route('/local', createLocalApi({ host, credential: CREDENTIAL, log: silentLogger }))
}

function addressOf([server]: readonly ServerType[]): { readonly url: string } {
  const address = server?.address()
  if (address === null || typeof address !== 'object') throw new MeshError('bug', 'The server does not listen.')
  return { url: `http://127.0.0.1:${String(address.port)}` }
}

async function connect(host = fakeHost()): Promise<LocalClient> {
  const port = await new Promise<number>((resolve) => {
    servers.push(
      serve({ fetch: app(host).fetch, port: 0, hostname: '127.0.0.1' }, (info) => {
        resolve(info.port)
      }),
    )
  })
  return createLocalClient({ url: `http://127.0.0.1:${String(port)}/`, credential: CREDENTIAL })
}

function post(path: string, body: string, authorization?: string): Promise<Response> {
  return Promise.resolve(
    app().request(path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
    }),
  )
}

test('whoever lacks the credential learns nothing', async () => {
  for (const authorization of [undefined, '', 'Bearer', `Bearer ${CREDENTIAL}x`, `Basic ${CREDENTIAL}`]) {
    for (const path of ['/local/devices', '/local/no-such-thing']) {
      const response = await post(path, '{}', authorization)
      expect(response.status).toBe(401)
      expect(await response.json()).toMatchObject({ error: { code: 'unauthorized' } })
    }
  }
})

test('a body that does not tell its length is read and bounded all the same', async () => {
  const client = await connect()
  const { url } = addressOf(servers)
  const send = (chunks: readonly string[]): Promise<Response> => {
    const request: RequestInit & { readonly duplex: 'half' } = {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${CREDENTIAL}` },
      body: new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
          controller.close()
        },
      }),
      duplex: 'half',
    }
    return fetch(`${url}/local/devices`, request)
  }
  expect((await send(['{', '}'])).status).toBe(200)
  expect((await send(Array.from({ length: 20 }, () => ' '.repeat(100_000)))).status).toBe(413)
  expect(await client.call('devices', {})).toHaveLength(2)
})

test('a body that is no JSON, of the wrong form or too large is refused before any work', async () => {
  const bearer = `Bearer ${CREDENTIAL}`
  expect((await post('/local/devices', '{', bearer)).status).toBe(400)
  expect((await post('/local/ask', '{"text":5}', bearer)).status).toBe(400)
  expect((await post('/local/ask', '{"text":""}', bearer)).status).toBe(400)
  expect((await post('/local/ask', JSON.stringify({ text: 'x'.repeat(1_100_000) }), bearer)).status).toBe(413)
  expect((await post('/local/constructor', '{}', bearer)).status).toBe(404)
})

test('an answer comes word by word and ends with the whole of it', async () => {
  const client = await connect(fakeHost({ words: ['Par', 'is', '.'] }))
  const told: string[] = []
  const answer = await client.call(
    'ask',
    { text: 'Capital of France?' },
    { onEvent: (event) => told.push(event.type === 'text' ? event.text : event.type) },
  )
  expect(told).toEqual(['route', 'Par', 'is', '.'])
  expect(answer).toMatchObject({
    text: 'Paris.',
    device: SELF,
    model: 'tiny',
    route: { reason: 'only-one' },
    finish: 'stop',
  })
})

test('a device is asked by its name, and one that is not in the mesh is an error', async () => {
  const host = fakeHost()
  const client = await connect(host)
  await client.call('ask', { text: 'hi', device: 'phone' })
  expect(host.asked[0]?.device).toBe(PHONE)
  for (const stranger of ['12D3KooWStranger', 'nobody', '../..']) {
    await expect(client.call('ask', { text: 'hi', device: stranger })).rejects.toMatchObject({ code: 'device-unknown' })
  }
  expect(host.asked).toHaveLength(1)
})

test('leaving stops the work', async () => {
  const host = fakeHost({ hold: true })
  const client = await connect(host)
  const leaving = new AbortController()
  const asking = client.call(
    'ask',
    { text: 'talk on' },
    {
      signal: leaving.signal,
      onEvent: (event) => {
        if (event.type === 'text') leaving.abort()
      },
    },
  )
  await expect(asking).rejects.toMatchObject({ code: 'aborted' })
  await host.stopped
})

test('an error of the helper arrives with its code and sentence', async () => {
  const client = await connect()
  await expect(client.call('join', { url: 'nonsense' })).rejects.toMatchObject({
    code: 'malformed',
    message: 'This is not an invitation.',
  })
  await expect(client.call('models-get', { model: 'other' })).rejects.toMatchObject({ code: 'model-unknown' })
})

test('progress of a download is told before its result', async () => {
  const client = await connect()
  const seen: number[] = []
  const got = await client.call('models-get', { model: 'tiny' }, { onEvent: (event) => seen.push(event.receivedBytes) })
  expect(seen).toEqual([5])
  expect(got).toEqual({ id: 'tiny', sizeBytes: 10, sha256: 'ab', state: 'ready' })
})

test('a helper that is gone is said to be gone', async () => {
  const client = createLocalClient({ url: 'http://127.0.0.1:1/', credential: CREDENTIAL })
  await expect(client.call('devices', {})).rejects.toMatchObject({ code: 'no-helper' })
})

test('removing names the device that went', async () => {
  const host = fakeHost()
  const client = await connect(host)
  expect(await client.call('remove', { device: 'pho' })).toEqual({ removed: PHONE, name: 'phone', devices: 1 })
  expect(host.removed).toEqual([PHONE])
})
