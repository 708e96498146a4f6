import * as z from 'zod/mini'
import { isMeshError, MeshError } from '../../mesh/base/index.ts'
import type { Door } from '../../mesh/mesh-types.ts'
import { deviceId, list, text } from '../../mesh/wire/index.ts'

const ANSWER_LIMIT_MS = 10_000
/** Largest answer of a helper about itself, in bytes: ten times what its addresses need. */
const ANSWER_MAX_BYTES = 16 * 1024

const whereabouts = z.object({ peerId: deviceId, addresses: list(text(300), 64) })

/**
 * The place a person named: what begins with http is the page of a helper, which is
 * asked where its peer is; everything else is the mesh's own to read. What the page
 * says is not trusted: the device it names proves itself.
 * @throws MeshError `offline`, `usage`
 */
export async function findDoor(place: string, options: { readonly signal: AbortSignal }): Promise<Door | string> {
  const isPage = /^https?:\/\//i.test(place) && !place.includes('join=')
  if (!isPage) return place
  const said = z.safeParse(whereabouts, parsed(await ask(place, options.signal)))
  if (!said.success) throw new MeshError('usage', 'What answers there is no helper of Plexus.')
  return { device: said.data.peerId, addresses: said.data.addresses }
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    // some other server's page
    return undefined
  }
}

async function ask(page: string, signal: AbortSignal): Promise<string> {
  if (!URL.canParse('/plexus.json', page)) throw new MeshError('usage', 'This is no address of a page.')
  try {
    const response = await fetch(new URL('/plexus.json', page), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]),
      redirect: 'error',
    })
    return response.ok && response.body !== null ? await readBounded(response.body) : ''
  } catch (error) {
    signal.throwIfAborted()
    if (isMeshError(error)) throw error
    const sentence = 'The page at this address does not answer. Is its helper running, and is its network open?'
    throw new MeshError('offline', sentence, { cause: error })
  }
}

async function readBounded(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let size = 0
  let answer = ''
  for await (const piece of body) {
    size += piece.byteLength
    // leaving the loop ends the transfer; what was read is no answer of a helper
    if (size > ANSWER_MAX_BYTES) return ''
    answer += decoder.decode(piece, { stream: true })
  }
  return answer + decoder.decode()
}
