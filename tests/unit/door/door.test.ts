import { connect, type Socket } from 'node:net'
import { request, type ServerResponse } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { DOOR_LIMITS, openDoor, type Door, type Visitors } from '../../../helper/door/index.ts'
import { systemClock } from '../../../helper/ports/clock.ts'
import { networkAddresses } from '../../../helper/ports/network.ts'
import { silentLogger, type Clock } from '../../../mesh/base/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { entrancePreset, startPeer } from '../../kit/peers.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { makeTestPair } from '../../kit/tls-pair.ts'
import { until } from '../../kit/wait.ts'

const doors: Door[] = []
afterEach(async () => {
  await Promise.all(doors.splice(0).map((door) => door.close({ signal: AbortSignal.abort() })))
})

const greeting: Visitors = {
  request(incoming, outgoing) {
    outgoing.end(`${incoming.method ?? ''} ${incoming.url ?? ''} from ${incoming.socket.remoteAddress ?? ''}`)
  },
  upgrade(_incoming, socket) {
    socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
  },
  badRequest(_error, socket) {
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  },
}

async function open(options: { host?: string; clock?: Clock; visitors?: Visitors | null } = {}): Promise<Door> {
  const { host = '127.0.0.1', clock = systemClock, visitors = greeting } = options
  const door = await openDoor({ port: 0, host, clock, log: silentLogger })
  doors.push(door)
  if (visitors !== null) door.serve(visitors)
  return door
}

function get(door: Door, options: { secure?: boolean; host?: string; path?: string } = {}): Promise<string> {
  const { secure = false, host = '127.0.0.1', path = '/hello' } = options
  return new Promise((resolve, reject) => {
    const send = secure ? secureRequest : request
    send({ host, port: door.port, path, agent: false, rejectUnauthorized: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => {
        resolve(text)
      })
    })
      .on('error', reject)
      .end()
  })
}

/** Writes these bytes, one call each, and gives back all that comes until the other side closes. */
function exchange(door: Door, parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(door.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(Buffer.concat(chunks).toString())
    })
    for (const part of parts) socket.write(part)
  })
}

const closedSocket = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {})
    socket.on('close', () => {
      resolve()
    })
    socket.resume()
  })

describe('one port', () => {
  test('speaks HTTP and TLS, with the address of the caller in both', async () => {
    const door = await open()
    door.setCertificate(await makeTestPair())
    expect(await get(door)).toBe('GET /hello from 127.0.0.1')
    expect(await get(door, { secure: true })).toBe('GET /hello from 127.0.0.1')
  })

  test.each([...'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'].map((_, index) => index + 1))(
    'reads a request that is cut in two after %i bytes',
    async (at) => {
      const door = await open()
      const text = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
      expect(await exchange(door, [text.slice(0, at), text.slice(at)])).toContain('GET / from 127.0.0.1')
    },
  )

  test('answers a client that ended its own side', async () => {
    const door = await open()
    const socket = connect({ port: door.port, host: '127.0.0.1', allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.end('GET /half HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await closedSocket(socket)
    expect(text).toContain('GET /half')
  })

  test('tells who speaks nonsense that it is, and goes on', async () => {
    const door = await open()
    for (const nonsense of ['SSH-2.0-x\r\n\r\n', Buffer.from([0, 1, 2, 13, 10, 13, 10])])
      expect(await exchange(door, [nonsense])).toMatch(/^(HTTP\/1\.1 400 |$)/)
    expect(await get(door)).toContain('/hello')
  })

  test('speaks no TLS without a certificate, and none any more when it is taken away', async () => {
    const door = await open()
    expect(door.isSecure).toBe(false)
    await expect(get(door, { secure: true })).rejects.toThrow()
    door.setCertificate(await makeTestPair())
    expect(await get(door, { secure: true })).toContain('/hello')
    door.setCertificate(undefined)
    await expect(get(door, { secure: true })).rejects.toThrow()
    expect(await get(door)).toContain('/hello')
  })

  test('takes another certificate while connections by the old one stay open', async () => {
    const door = await open()
    const [first, second] = [await makeTestPair('first'), await makeTestPair('second')]
    door.setCertificate(first)
    const nameOf = (socket: ReturnType<typeof connectTls>): unknown => socket.getPeerCertificate().subject.CN
    const dial = (): Promise<ReturnType<typeof connectTls>> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ port: door.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket)
        })
        socket.on('error', reject)
      })
    const old = await dial()
    expect(nameOf(old)).toBe('first')
    door.setCertificate(second)
    const fresh = await dial()
    expect(nameOf(fresh)).toBe('second')
    old.write('GET /old HTTP/1.1\r\nHost: x\r\n\r\n')
    const answer = await new Promise<string>((resolve) => {
      old.once('data', (chunk: Buffer) => {
        resolve(chunk.toString())
      })
    })
    expect(answer).toContain('GET /old')
    old.destroy()
    fresh.destroy()
    expect(() => {
      door.setCertificate({ key: first.key, cert: second.cert })
    }).toThrow(expect.objectContaining({ code: 'config-invalid' }))
  })

  test('serves those who came before it could', async () => {
    const door = await open({ visitors: null })
    const early = get(door)
    await until(
      async () =>
        await new Promise<boolean>((resolve) => connect(door.port, '127.0.0.1').on('connect', () => resolve(true))),
      { what: 'a connection' },
    )
    door.serve(greeting)
    expect(await early).toContain('/hello')
  })

  test('closes who says nothing', async () => {
    const clock = createVirtualClock()
    const door = await open({ clock })
    const silent = connect(door.port, '127.0.0.1')
    const gone = closedSocket(silent)
    await new Promise((resolve) => silent.on('connect', resolve))
    await get(door)
    clock.advance(DOOR_LIMITS.firstByteMs)
    await gone
  })

  test('looks for requests that are late, plain and over TLS', async () => {
    // the HTTP servers never listen themselves: without being told, Node would let a slow head hold its place for ever
    const door = await open()
    door.setCertificate(await makeTestPair())
    const symbols = (server: object): boolean =>
      Object.getOwnPropertySymbols(server).some(
        (symbol) =>
          String(symbol).includes('connectionsCheckingInterval') &&
          (server as Record<symbol, unknown>)[symbol] !== undefined &&
          (server as Record<symbol, unknown>)[symbol] !== null,
      )
    const seen: object[] = []
    door.serve({
      ...greeting,
      request(incoming, outgoing) {
        seen.push((incoming.socket as unknown as { server: object }).server)
        outgoing.end()
      },
    })
    await get(door)
    await get(door, { secure: true })
    expect(seen.map(symbols)).toEqual([true, true])
  })

  test.runIf(networkAddresses().length > 0)(
    'gives one address of the network only so many places, and this machine as many as there are',
    async () => {
      const [address = ''] = networkAddresses()
      const door = await open({ host: '0.0.0.0' })
      const sockets = Array.from({ length: DOOR_LIMITS.connectionsPerAddress }, () => connect(door.port, address))
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on('connect', resolve))))
      await expect(get(door, { host: address })).rejects.toThrow()
      expect(await get(door)).toContain('from 127.0.0.1')
      sockets[0]?.destroy()
      await until(() => get(door, { host: address }).catch(() => ''), { what: 'a place to be free' })
      for (const socket of sockets) socket.destroy()
    },
  )
})

describe('peers', () => {
  test('link through it over WebSocket and TLS, beside the pages it serves', async () => {
    const door = await open()
    door.setCertificate(await makeTestPair())
    const store = createMemoryStore()
    const alice = await startPeer('Alice', { store, preset: await entrancePreset(store, door) })
    const bob = await startPeer('Bob')
    try {
      const way = `/ip4/127.0.0.1/tcp/${String(door.port)}/ws`
      expect(alice.mesh.addresses()).toContain(`${way}/p2p/${alice.mesh.self}`)
      expect(multiaddr(alice.mesh.addresses().find((one) => one.includes('/ws')) ?? '').toString()).toContain('/ws')
      await bob.mesh.join((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
      expect((await alice.untilOnline(bob)).path).toBe('direct')
      expect(await get(door)).toContain('/hello')
      // visits end, peers stay
      await door.endVisits()
      expect(alice.sees(bob)?.state).toBe('online')
    } finally {
      await bob.mesh.stop()
      await alice.mesh.stop()
    }
  })

  test('are one target, every other upgrade is a visit', async () => {
    const door = await open()
    const refused = new WebSocket(`ws://127.0.0.1:${String(door.port)}/elsewhere`)
    const status = await new Promise<number | undefined>((resolve) => {
      refused.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode)
      })
      refused.on('error', () => {})
    })
    expect(status).toBe(404)
    // nobody takes peers: cut, not left hanging
    const early = new WebSocket(`ws://127.0.0.1:${String(door.port)}/`)
    expect(await new Promise((resolve) => early.on('error', () => resolve('cut')))).toBe('cut')
  })
})

test('a port that is taken is refused by name, one that is closed is free at once', async () => {
  const door = await open()
  await expect(
    openDoor({ port: door.port, host: '127.0.0.1', clock: systemClock, log: silentLogger }),
  ).rejects.toMatchObject({ code: 'port-taken', detail: { port: door.port } })
  const hanging = connect(door.port, '127.0.0.1')
  const gone = closedSocket(hanging)
  await new Promise((resolve) => hanging.on('connect', resolve))
  await door.close({ signal: AbortSignal.abort() })
  await gone
  const again = await openDoor({ port: door.port, host: '127.0.0.1', clock: systemClock, log: silentLogger })
  doors.push(again)
  expect(again.port).toBe(door.port)
})

describe('whoever holds places without using them', () => {
  const holder = (door: Door, text: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(door.port, '127.0.0.1')
      socket.on('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        socket.on('error', () => {})
        // nothing that comes is ever read
        socket.pause()
        socket.write(text)
        resolve(socket)
      })
    })
  const holders = (door: Door, count: number, text: string): Promise<Socket[]> =>
    Promise.all(Array.from({ length: count }, () => holder(door, text)))

  test('keeps nobody out: what was silent longest gives way, and what goes on stays', async () => {
    const going: ServerResponse[] = []
    const door = await open({
      visitors: {
        ...greeting,
        request(incoming, outgoing) {
          if (incoming.url === '/going-on') going.push(outgoing)
          else if (incoming.url === '/silent') outgoing.write('begun')
          else greeting.request(incoming, outgoing)
        },
      },
    })
    const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    const sockets = await holders(door, DOOR_LIMITS.connections - 2, ask('/silent'))
    sockets.push(...(await holders(door, 1, ask('/going-on'))))
    await until(() => going.length === 1, { what: 'the one that goes on' })
    let gone = 0
    for (const socket of sockets) socket.on('close', () => gone++).resume()
    for (let count = 0; count < 20; count++) {
      going[0]?.write('more')
      sockets.push(await holder(door, ask('/silent')))
      expect(await get(door)).toContain('GET /hello')
    }
    await until(() => gone >= 10, { what: 'silent ones to give way' })
    expect(going[0]?.destroyed).toBe(false)
    for (const socket of sockets) socket.destroy()
  })

  test('is cut after a refusal, though it never ends its own side', async () => {
    const clock = createVirtualClock()
    const door = await open({ clock })
    const upgrade =
      'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
    const release = door.servePeers((_incoming, socket) => socket.destroy())
    const socket = connect({ port: door.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    const answer = new Promise<string>((resolve) => {
      socket.once('data', (chunk) => {
        resolve(chunk.toString())
      })
    })
    socket.write(upgrade)
    expect(await answer).toContain('403')
    clock.advance(DOOR_LIMITS.refusedMs)
    // what it still writes is answered by a reset
    await until(() => socket.destroyed || !socket.write('x') || undefined, { what: 'the connection to be cut' })
    release()
  })

  test('has one of its requests answered at a time, and no more than a few wait', async () => {
    let inWork = 0
    const ends: (() => void)[] = []
    const door = await open({
      visitors: {
        ...greeting,
        request(_incoming, outgoing) {
          inWork += 1
          ends.push(() => outgoing.end('ok'))
        },
      },
    })
    const one = 'GET /big HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    const [socket] = await holders(door, 1, one.repeat(3))
    await until(() => inWork === 1, { what: 'the first request' })
    ends.shift()?.()
    await until(() => inWork === 2, { what: 'the second, once the first was answered' })
    expect(ends.length).toBe(1)
    socket?.destroy()
    const many = await exchange(door, [one.repeat(DOOR_LIMITS.requestsWaiting + 2)]).catch(() => '')
    expect(many).toBe('')
    expect(inWork).toBe(3)
  })
})
