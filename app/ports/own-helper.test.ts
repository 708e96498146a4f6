import { describe, expect, it } from 'vitest'
import { findOwnHelper } from './own-helper.ts'

const PEER = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
const { signal } = new AbortController()

function helperThat(answer: () => Response | Promise<Response>): {
  readonly find: ReturnType<typeof findOwnHelper>
  readonly asked: string[]
} {
  const asked: string[] = []
  const find = findOwnHelper({
    origin: 'http://127.0.0.1:8790',
    fetch: async (url) => {
      asked.push(url instanceof Request ? url.url : url.toString())
      return answer()
    },
  })
  return { find, asked }
}

describe('the helper a page came from', () => {
  it('says where it is, and is asked at the page’s own origin alone', async () => {
    const addresses = ['/ip4/127.0.0.1/tcp/9/ws']
    const { find, asked } = helperThat(() => Response.json({ peerId: PEER, addresses, name: 'Desktop' }))
    expect(await find({ signal })).toEqual({ device: PEER, addresses })
    expect(asked).toEqual(['http://127.0.0.1:8790/plexus.json'])
  })

  it.each([
    ['nothing of that name', () => new Response('no', { status: 404 })],
    ['a page instead', () => new Response('<!doctype html>')],
    ['something of another form', () => Response.json({ peerId: 'me', addresses: 'here' })],
    ['an answer without an end', () => new Response('['.repeat(20_000))],
  ])('is none where there is %s', async (_what, answer) => {
    await expect(helperThat(answer).find({ signal })).rejects.toMatchObject({ code: 'no-helper' })
  })

  it('is out of reach when it does not answer', async () => {
    const { find } = helperThat(() => Promise.reject(new TypeError('Failed to fetch')))
    await expect(find({ signal })).rejects.toMatchObject({ code: 'offline', retryable: true })
  })
})
