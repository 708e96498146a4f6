import * as z from 'zod/mini'
import { MeshError } from '../../mesh/base/index.ts'
import type { HelperPage } from '../state/index.ts'

/** Longest answer that is read, in characters. */
const ANSWER_MAX_LENGTH = 16_384

const secureUrl = z.string().check(z.maxLength(2_048), z.regex(/^https:\/\/[^\s#]+$/))
const anyUrl = z.string().check(z.maxLength(2_048), z.regex(/^https?:\/\/[^\s#]+$/))
const placeSchema = z.object({
  lan: z.boolean(),
  page: z.nullable(secureUrl),
  trust: z.nullable(anyUrl),
  guests: z.boolean(),
  shared: z.optional(z.boolean()),
})
const passSchema = z.object({ fragment: z.string().check(z.maxLength(4_096), z.regex(/^join=[\w-]+$/)) })

/** Talks to the origin of the page and to nobody else. */
export function createHelperPage(page: Pick<Window, 'fetch' | 'document'>, isKnown: () => boolean): HelperPage {
  const passes = new Set<string>()
  const read = async (path: string, init: RequestInit): Promise<{ ok: boolean; value: unknown }> => {
    const response = await page.fetch(new URL(path, page.document.baseURI), { ...init, cache: 'no-store' })
    const text = await response.text()
    if (text.length > ANSWER_MAX_LENGTH) throw new MeshError('too-large', 'The answer of the helper is too long.')
    return { ok: response.ok, value: parsedOrUndefined(text) }
  }
  return {
    isKnown,
    async place({ signal } = {}) {
      try {
        const { ok, value } = await read('plexus.json', signal === undefined ? {} : { signal })
        const parsed = ok ? z.safeParse(placeSchema, value) : undefined
        if (parsed?.success !== true) return undefined
        const { lan, page: best, trust, guests, shared } = parsed.data
        return {
          lan,
          guests,
          page: best ?? undefined,
          trust: trust ?? undefined,
          ...(shared === true ? { shared } : {}),
        }
      } catch {
        // without a network, or on a host of files: nothing is said of any helper
        return undefined
      }
    },
    async requestPass({ signal } = {}) {
      const init: RequestInit = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
        ...(signal === undefined ? {} : { signal }),
      }
      const { ok, value } = await read('guest', init).catch((error: unknown) => {
        throw new MeshError('offline', 'The helper could not be reached.', { cause: error })
      })
      const parsed = ok ? z.safeParse(passSchema, value) : undefined
      if (parsed?.success !== true) throw new MeshError('refused', 'The helper lets no guest in now.')
      passes.add(parsed.data.fragment)
      return parsed.data.fragment
    },
    isPass: (link) => passes.has(link),
  }
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
