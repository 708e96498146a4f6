import { expect, test } from 'vitest'
import { createHelperPage } from './helper-page.ts'

interface Sent {
  readonly url: string
  readonly method: string
}

function page(answer: { status?: number; body: unknown } | 'offline') {
  const sent: Sent[] = []
  const window = {
    document: { baseURI: 'http://10.0.0.7:7539/?view=chat' } as Document,
    fetch: (input: URL | RequestInfo, init?: RequestInit) => {
      sent.push({ url: input instanceof URL ? input.href : '', method: init?.method ?? 'GET' })
      if (answer === 'offline') return Promise.reject(new TypeError('Failed to fetch'))
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
      return Promise.resolve(new Response(text, { status: answer.status ?? 200 }))
    },
  }
  return { helper: createHelperPage(window, () => true), sent }
}

const PLACE = { lan: true, page: 'https://10.0.0.7:7539/', trust: 'http://10.0.0.7:7539/trust', guests: true }

test('what the helper says is read from the page’s own origin', async () => {
  const { helper, sent } = page({ body: { ...PLACE, peerId: '12D3', addresses: [] } })
  expect(await helper.place()).toEqual(PLACE)
  expect(sent).toEqual([{ url: 'http://10.0.0.7:7539/plexus.json', method: 'GET' }])
  expect(await page({ body: { ...PLACE, page: null, trust: null } }).helper.place()).toEqual({
    ...PLACE,
    page: undefined,
    trust: undefined,
  })
})

test.each([
  ['a host of files', { status: 404, body: 'not found' }],
  ['no network', 'offline'],
  ['no JSON', { body: '<html>' }],
  ['an answer without an end', { body: `"${'x'.repeat(20_000)}"` }],
  ['a page in the clear', { body: { ...PLACE, page: 'http://10.0.0.7/' } }],
  ['a page that is a script', { body: { ...PLACE, trust: 'javascript:alert(1)' } }],
  ['a page that brings an invitation of its own', { body: { ...PLACE, page: 'https://10.0.0.7/#join=AA' } }],
  ['a page that is no text', { body: { ...PLACE, page: 7 } }],
] as const)('%s is no helper', async (_what, answer) => {
  expect(await page(answer as Parameters<typeof page>[0]).helper.place()).toBeUndefined()
})

test('a pass is asked for by POST, and known as one afterwards', async () => {
  const { helper, sent } = page({ body: { fragment: 'join=AbC-_1', expiresAt: 1 } })
  expect(helper.isPass('join=AbC-_1')).toBe(false)
  expect(await helper.requestPass()).toBe('join=AbC-_1')
  expect(sent).toEqual([{ url: 'http://10.0.0.7:7539/guest', method: 'POST' }])
  expect([helper.isPass('join=AbC-_1'), helper.isPass('join=other')]).toEqual([true, false])
})

test('no pass is a reason, never a guess', async () => {
  await expect(page({ status: 429, body: {} }).helper.requestPass()).rejects.toMatchObject({ code: 'refused' })
  await expect(page({ body: { fragment: '<script>' } }).helper.requestPass()).rejects.toMatchObject({ code: 'refused' })
  await expect(page('offline').helper.requestPass()).rejects.toMatchObject({ code: 'offline' })
})
