import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOpenings } from '../../../helper/gateway/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createTestGateway } from '../../kit/gateway.ts'
import { createSeededRandom } from '../../kit/random.ts'

let pageDir: string

beforeAll(async () => {
  pageDir = await mkdtemp(join(tmpdir(), 'plexus-openings-'))
  await writeFile(join(pageDir, 'index.html'), '<!doctype html><title>Shell</title>')
})
afterAll(() => rm(pageDir, { recursive: true, force: true }))

const headers = (site?: string) => ({
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  ...(site === undefined ? {} : { 'sec-fetch-site': site }),
})

describe('the gateway', () => {
  test.each([
    ['none', 'none'],
    ['same-origin', 'same-origin'],
    ['same-site', 'same-site'],
    ['cross-site', 'cross-site'],
    ['anything else', 'cross-site'],
    [undefined, 'cross-site'],
  ])('tells the page who led to it: %s is %s', async (site, told) => {
    const response = await createTestGateway({ pageDir }).send('/', { headers: headers(site) })
    expect(response.headers.get('server-timing')).toBe(`opened;desc="${told}"`)
  })

  test('says nothing of what is no navigation, and never the same as last time from a kept copy', async () => {
    const { send } = createTestGateway({ pageDir })
    const asset = await send('/', { headers: { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'none' } })
    expect(asset.headers.get('server-timing')).toBeNull()
    const etag = asset.headers.get('etag') ?? ''
    const again = await send('/', { headers: { ...headers('cross-site'), 'if-none-match': etag } })
    expect(again.status).toBe(200)
  })
})

test('a mark of the helper is good once, for a while, and few are kept', () => {
  const clock = createVirtualClock()
  const openings = createOpenings({ clock, random: createSeededRandom(1) })
  const markOf = (url: string): string => new URL(url).searchParams.get('opened') ?? ''
  const marked = openings.mark('http://127.0.0.1:1/#join=abc')
  expect(marked).toMatch(/^http:\/\/127\.0\.0\.1:1\/\?opened=[0-9a-f]{32}#join=abc$/)
  expect(openings.take('0'.repeat(32))).toBe(false)
  expect([openings.take(markOf(marked)), openings.take(markOf(marked))]).toEqual([true, false])
  const late = markOf(openings.mark('http://127.0.0.1:1/'))
  clock.advance(10 * 60_000)
  expect(openings.take(late)).toBe(false)
  const first = markOf(openings.mark('http://127.0.0.1:1/'))
  for (let count = 0; count < 16; count++) openings.mark('http://127.0.0.1:1/')
  expect(openings.take(first)).toBe(false)
})
