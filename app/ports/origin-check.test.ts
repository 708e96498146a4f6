import { expect, test } from 'vitest'
import { loadDeviceKey, originProof, type DeviceKey } from '../../mesh/identity/index.ts'
import { fromBase64url, toBase64url } from '../../mesh/wire/index.ts'
import { createMemoryStore } from '../../tests/kit/memory-store.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { canBeTaken, checkOrigin, ORIGIN_PIN, trustOrigin } from './origin-check.ts'

const ORIGIN = 'http://127.0.0.1:7539'
const random = createSeededRandom('origin')

/** Answers as a helper of this key does, as asked at `origin`. */
const helperOf =
  (key: DeviceKey, origin = ORIGIN, claimed: string = key.id): typeof fetch =>
  async (_url, init) => {
    const { nonce } = JSON.parse(typeof init?.body === 'string' ? init.body : '{}') as { nonce: string }
    return Response.json({ device: claimed, proof: toBase64url(await originProof(key, origin, fromBase64url(nonce))) })
  }
const memory = (): Pick<Storage, 'getItem' | 'setItem'> => {
  const held = new Map<string, string>()
  return { getItem: (name) => held.get(name) ?? null, setItem: (name, value) => void held.set(name, value) }
}
const keyOf = (seed: string): Promise<DeviceKey> => loadDeviceKey(createMemoryStore(), createSeededRandom(seed))
const replay = async (key: DeviceKey): Promise<typeof fetch> => {
  const proof = toBase64url(await originProof(key, ORIGIN, new Uint8Array(32)))
  return () => Promise.resolve(Response.json({ device: key.id, proof }))
}

test('the first helper that proves itself is remembered, and known again', async () => {
  const own = await keyOf('own')
  const ports = { origin: ORIGIN, random, memory: memory(), isHelper: true }
  expect(await checkOrigin({ ...ports, fetch: helperOf(own) })).toEqual({ kind: 'own' })
  expect(ports.memory.getItem(ORIGIN_PIN)).toBe(own.id)
  expect(await checkOrigin({ ...ports, fetch: helperOf(own) })).toEqual({ kind: 'own' })
})

test('who is not that helper is told apart, whatever is sent', async () => {
  const [own, other] = [await keyOf('own'), await keyOf('other')]
  const ports = { origin: ORIGIN, random, memory: memory(), isHelper: true }
  trustOrigin(ports.memory, own.id)
  const answers: readonly (readonly [typeof fetch, object])[] = [
    [helperOf(other), { kind: 'other', device: other.id }],
    // the own helper’s name with another’s signature; a proof for another address; an old proof
    [helperOf(other, ORIGIN, own.id), { kind: 'other' }],
    [helperOf(own, 'http://127.0.0.1:8000'), { kind: 'other' }],
    [helperOf(own, 'https://127.0.0.1:7539'), { kind: 'other' }],
    [await replay(own), { kind: 'other' }],
    [() => Promise.resolve(new Response('<h1>hello</h1>')), { kind: 'other' }],
    [() => Promise.resolve(new Response('{}', { status: 404 })), { kind: 'other' }],
    [() => Promise.resolve(new Response('x'.repeat(10_000))), { kind: 'other' }],
    [() => Promise.resolve(Response.json({ device: own.id, proof: '' })), { kind: 'other' }],
    [() => Promise.resolve(Response.json(null)), { kind: 'other' }],
    [() => Promise.reject(new TypeError('Failed to fetch')), { kind: 'silent' }],
  ]
  for (const [fetch, verdict] of answers) expect(await checkOrigin({ ...ports, fetch })).toEqual(verdict)
  expect(ports.memory.getItem(ORIGIN_PIN)).toBe(own.id)
})

test('a host of files is asked nothing, until a helper was seen here', async () => {
  const own = await keyOf('own')
  const ports = { origin: ORIGIN, random, memory: memory(), isHelper: false }
  const asked: string[] = []
  const fetch: typeof globalThis.fetch = (url, init) => {
    asked.push(url instanceof URL ? url.href : '')
    return helperOf(own)(url, init)
  }
  expect(await checkOrigin({ ...ports, fetch })).toEqual({ kind: 'unknown' })
  expect(asked).toEqual([])
  trustOrigin(ports.memory, own.id)
  expect(await checkOrigin({ ...ports, fetch })).toEqual({ kind: 'own' })
})

test('a host of files is no helper, and is not remembered as one', async () => {
  const ports = { origin: ORIGIN, random, memory: memory(), isHelper: true }
  const fetch = (): Promise<Response> => Promise.resolve(new Response('', { status: 404 }))
  expect(await checkOrigin({ ...ports, fetch })).toEqual({ kind: 'unknown' })
  expect(ports.memory.getItem(ORIGIN_PIN)).toBeNull()
})

test.each([
  ['http://127.0.0.1:7539', true],
  ['http://localhost:7539', true],
  ['http://[::1]:7539', true],
  ['https://127.0.0.1:7539', false],
  ['https://plexus.example', false],
  ['http://192.168.7.7:7539', false],
])('only plain HTTP of this machine can be taken: %s, %s', (origin, can) => {
  expect(canBeTaken(origin)).toBe(can)
})
