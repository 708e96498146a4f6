import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import {
  createGateway,
  EVENTS_PATH,
  EVENTS_PROTOCOL,
  GATEWAY_LIMITS,
  type GatewayEvent,
} from '../../../helper/gateway/index.ts'
import { systemRandom } from '../../../helper/ports/random.ts'
import { asId, silentLogger, type DeviceId } from '../../../mesh/base/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createFakeMesh, FAKE_DEVICE, hanging, saying } from '../../kit/fake-mesh.ts'
import { readEvents, TEST_TOKEN } from '../../kit/gateway.ts'
import { startGatewayServer, type GatewayServer } from '../../kit/gateway-server.ts'
import { until } from '../../kit/wait.ts'

const running: GatewayServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close({ signal: AbortSignal.abort() })))
})
async function start(options: Parameters<typeof startGatewayServer>[0] = {}): Promise<GatewayServer> {
  const server = await startGatewayServer(options)
  running.push(server)
  return server
}

function ask(server: GatewayServer, fields: Record<string, unknown> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'fake-135m', messages: [{ role: 'user', content: 'Hi' }], ...fields }),
    ...(signal === undefined ? {} : { signal }),
  })
}

describe('a port', () => {
  test('that is taken is refused by name, and no other is tried', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const options = {
      mesh: createFakeMesh(),
      clock: createVirtualClock(),
      random: systemRandom,
      log: silentLogger,
      token: 'x',
      pageDir: '',
    }
    const failure: unknown = await createGateway(options)
      .listen({ port })
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'port-taken', detail: { port } })
    expect(String(failure)).toContain(String(port))
    other.close()
  })

  test('that is freed can be taken again at once', async () => {
    const first = await startGatewayServer()
    expect((await fetch(`${first.url}/health`)).status).toBe(200)
    await first.close()
    const options = {
      mesh: createFakeMesh(),
      clock: createVirtualClock(),
      random: systemRandom,
      log: silentLogger,
      token: 'x',
      pageDir: '',
    }
    const second = await createGateway(options).listen({ port: first.port })
    expect(second.port).toBe(first.port)
    await second.close()
  })

  test('is not taken when the start was stopped', async () => {
    const options = {
      mesh: createFakeMesh(),
      clock: createVirtualClock(),
      random: systemRandom,
      log: silentLogger,
      token: 'x',
      pageDir: '',
    }
    await expect(createGateway(options).listen({ port: 0, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    })
  })
})

describe('a client over a socket', () => {
  test.each([{ stream: false }, { stream: true }])(
    'that closes while the prompt is read stops the ask within a second (%o)',
    async (fields) => {
      const server = await start()
      server.mesh.answerWith(hanging([{ type: 'phase', phase: 'reading', fraction: 0.1 }]))
      const client = new AbortController()
      const pending = ask(server, fields, client.signal).catch(() => 'aborted')
      await until(() => server.mesh.asks.length === 1, { what: 'the ask' })
      const startedAt = performance.now()
      client.abort()
      expect(await pending).toBe('aborted')
      await until(() => server.mesh.asks[0]?.isOver, { what: 'the ask to be over' })
      expect(performance.now() - startedAt).toBeLessThan(1_000)
    },
  )

  test('that closes in mid-answer stops the ask', async () => {
    const server = await start()
    server.mesh.answerWith(hanging([{ type: 'text', text: 'first', tokenCount: 1 }]))
    const client = new AbortController()
    const response = await ask(server, { stream: true }, client.signal)
    await response.body?.getReader().read()
    client.abort()
    await until(() => server.mesh.asks[0]?.isOver, { what: 'the ask to be over' })
  })

  test('shares the gateway with a hundred others', async () => {
    const server = await start({
      mesh: createFakeMesh({ answer: saying(Array.from({ length: 50 }, (_, index) => `${String(index)} `)) }),
    })
    const expected = Array.from({ length: 50 }, (_, index) => `${String(index)} `).join('')
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { data } = readEvents(await (await ask(server, { stream: true })).text())
        return data
          .filter((payload) => payload !== '[DONE]')
          .map(
            (payload) =>
              (JSON.parse(payload) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '',
          )
          .join('')
      }),
    )
    expect(answers.every((answer) => answer === expected)).toBe(true)
  })

  test('that sends too much is told 413', async () => {
    const server = await start()
    const response = await ask(server, { padding: 'x'.repeat(GATEWAY_LIMITS.bodyBytes) })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ error: { code: 'request_too_large' } })
    expect((await ask(server)).status).toBe(200)
  })

  test.each([
    ['413', true, 'declared', `Content-Length: ${String(2 * GATEWAY_LIMITS.bodyBytes)}`],
    ['413', true, 'undeclared', 'Transfer-Encoding: chunked'],
    ['401', false, 'declared', `Content-Length: ${String(2 * GATEWAY_LIMITS.bodyBytes)}`],
  ])('that sends slowly and listens only then is told %s all the same', async (status, hasToken, _kind, length) => {
    const server = await start()
    const socket = connect(server.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.pause()
    let failure: unknown
    socket.on('error', (error) => (failure = error))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const write = (data: string): Promise<void> =>
      new Promise((resolve) =>
        socket.write(data, () => {
          resolve()
        }),
      )
    await write(
      [
        'POST /v1/chat/completions HTTP/1.1',
        `Host: 127.0.0.1:${String(server.port)}`,
        'Content-Type: application/json',
        ...(hasToken ? [`Authorization: Bearer ${server.token}`] : []),
        length,
        '',
        '',
      ].join('\r\n'),
    )
    const pieceBytes = 256 * 1024
    for (let sentBytes = 0; sentBytes < 2 * GATEWAY_LIMITS.bodyBytes; sentBytes += pieceBytes) {
      const piece = ' '.repeat(pieceBytes)
      await write(length.startsWith('Transfer') ? `${pieceBytes.toString(16)}\r\n${piece}\r\n` : piece)
      // slower than any body of this size: the point is that nobody loses patience with it
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
    if (length.startsWith('Transfer')) await write('0\r\n\r\n')
    socket.resume()
    await until(() => chunks.length > 0, { what: 'the answer' })
    expect(Buffer.concat(chunks).toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(failure).toBeUndefined()
    socket.destroy()
  })

  test('that has no token and a big body is told 401', async () => {
    const server = await start()
    const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: 'x'.repeat(1_000_000) })
    expect(response.status).toBe(401)
  })
})

test('closing ends open answers and sockets', async () => {
  const server = await startGatewayServer()
  server.mesh.answerWith(hanging([{ type: 'text', text: 'first', tokenCount: 1 }]))
  const response = await ask(server, { stream: true })
  const socket = new WebSocket(`ws://127.0.0.1:${String(server.port)}${EVENTS_PATH}?token=${TEST_TOKEN}`)
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise((resolve) => socket.on('open', resolve))
  const text = response.text()
  await server.close()
  expect(await closed).toBe(1001)
  expect(readEvents(await text).data.at(-1)).toContain('The helper is stopping.')
  expect(server.mesh.asks[0]?.isOver).toBe(true)
})

describe('event sockets', () => {
  const open = (
    server: GatewayServer,
    options: { query?: string; protocols?: string[]; headers?: Record<string, string> } = {},
  ) => {
    const socket = new WebSocket(
      `ws://127.0.0.1:${String(server.port)}${EVENTS_PATH}${options.query ?? ''}`,
      options.protocols ?? [],
      {
        headers: options.headers ?? {},
      },
    )
    const events: GatewayEvent[] = []
    socket.on('message', (data: Buffer) => events.push(JSON.parse(data.toString()) as GatewayEvent))
    const result = new Promise<number>((resolve) => {
      socket.on('open', () => {
        resolve(101)
      })
      socket.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0)
      })
      socket.on('error', () => {})
    })
    const closed = new Promise<number>((resolve) => socket.on('close', resolve))
    return { socket, events, result, closed }
  }

  test.each([
    ['the header', { headers: { authorization: `Bearer ${TEST_TOKEN}` } }, ''],
    ['the query', { query: `?token=${TEST_TOKEN}` }, ''],
    ['a subprotocol', { protocols: [`plexus.token.${TEST_TOKEN}`] }, `plexus.token.${TEST_TOKEN}`],
    ['a subprotocol beside ours', { protocols: [EVENTS_PROTOCOL, `plexus.token.${TEST_TOKEN}`] }, EVENTS_PROTOCOL],
  ])('take the token by %s', async (_how, options, protocol) => {
    const { socket, events, result } = open(await start(), options)
    expect(await result).toBe(101)
    expect(socket.protocol).toBe(protocol)
    await until(() => events.length > 0, { what: 'hello' })
    expect(events[0]).toMatchObject({
      type: 'hello',
      self: FAKE_DEVICE,
      standing: 'alone',
      devices: [{ id: FAKE_DEVICE }],
    })
  })

  test.each([
    ['no token', {}, 401],
    ['a wrong token', { query: '?token=x' }, 401],
    ['two tokens', { query: `?token=${TEST_TOKEN}`, headers: { authorization: `Bearer ${TEST_TOKEN}` } }, 401],
    ['a right and a wrong token', { query: `?token=${TEST_TOKEN}&token=x` }, 401],
    ['a foreign page', { query: `?token=${TEST_TOKEN}`, headers: { origin: 'http://evil.example' } }, 403],
    ['a foreign name', { query: `?token=${TEST_TOKEN}`, headers: { host: 'evil.example' } }, 403],
    ['another path', { query: `/more?token=${TEST_TOKEN}` }, 404],
  ])('refuse %s', async (_what, options, status) => {
    expect(await open(await start(), options).result).toBe(status)
  })

  test('say what happens in the mesh, with the time', async () => {
    const server = await start()
    const { events, result, socket } = open(server, { query: `?token=${TEST_TOKEN}` })
    await result
    server.mesh.events.emit({ type: 'device-removed', id: asId<DeviceId>('12D3Koo') })
    await until(() => events.length === 2, { what: 'the event' })
    expect(events[1]).toEqual({ type: 'device-removed', id: '12D3Koo', at: expect.any(Number) as number })
    socket.close()
  })

  test('are limited in number', async () => {
    const server = await start()
    const sockets = Array.from({ length: GATEWAY_LIMITS.eventSockets }, () =>
      open(server, { query: `?token=${TEST_TOKEN}` }),
    )
    for (const { result } of sockets) expect(await result).toBe(101)
    expect(await open(server, { query: `?token=${TEST_TOKEN}` }).result).toBe(503)
    sockets[0]?.socket.close()
    await sockets[0]?.closed
    await until(async () => (await open(server, { query: `?token=${TEST_TOKEN}` }).result) === 101, {
      what: 'a free place',
    })
  })

  test('close a reader that takes nothing', async () => {
    const server = await start()
    const { socket, result, closed } = open(server, { query: `?token=${TEST_TOKEN}` })
    await result
    socket.pause()
    const pictures = ['x'.repeat(256 * 1024)]
    const join = {
      invitation: asId<never>('i'),
      device: FAKE_DEVICE,
      name: '',
      kind: 'browser',
      person: '',
      role: 'member',
      pictures,
      path: 'none',
    } as const
    // more than the kernel takes for a reader that sleeps
    for (let count = 0; count < 128; count++) server.mesh.events.emit({ type: 'join-pending', join })
    socket.resume()
    expect(await closed).toBe(1006)
  })

  test('close a reader that answers no ping, and keep one that does', async () => {
    const clock = createVirtualClock()
    const server = await start({ clock })
    const alive = open(server, { query: `?token=${TEST_TOKEN}` })
    const dead = open(server, { query: `?token=${TEST_TOKEN}` })
    await alive.result
    await dead.result
    let pings = 0
    alive.socket.on('ping', () => pings++)
    dead.socket.pong = () => {}
    Object.defineProperty(dead.socket, '_autoPong', { value: false })
    clock.advance(GATEWAY_LIMITS.eventPingMs)
    await until(() => pings === 1, { what: 'a ping' })
    alive.socket.pong()
    let pongSeen = false
    alive.socket.on('pong', () => {
      pongSeen = true
    })
    alive.socket.ping()
    await until(() => pongSeen, { what: 'our own ping to come back, so that our pong has arrived' })
    clock.advance(GATEWAY_LIMITS.eventPingMs)
    expect(await dead.closed).toBe(1006)
    expect(alive.socket.readyState).toBe(WebSocket.OPEN)
    alive.socket.close()
  })

  test('close a client that sends more than a word', async () => {
    const { socket, result, closed } = open(await start(), { query: `?token=${TEST_TOKEN}` })
    await result
    socket.send('x'.repeat(GATEWAY_LIMITS.eventMessageBytes + 1))
    expect(await closed).toBe(1009)
  })
})
