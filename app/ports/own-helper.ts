import * as z from 'zod/mini'
import { MeshError } from '../../mesh/base/index.ts'
import { deviceId, list, text } from '../../mesh/wire/index.ts'
import type { FindHelper } from '../peer/index.ts'

/** Largest answer of a helper about itself, in bytes: ten times what its addresses need. */
const ANSWER_MAX_BYTES = 16 * 1024

const whereabouts = z.object({ peerId: deviceId, addresses: list(text(300), 64) })

/** What it takes of a browser. */
export interface OwnHelperPorts {
  readonly origin: string
  readonly fetch: typeof fetch
}

/**
 * Asks the helper this page came from where it is. `no-helper` when the page came from
 * somewhere else. What it says is not trusted: the words are typed at a device of the
 * person's own, and prove themselves to that one.
 */
export function findOwnHelper(ports: OwnHelperPorts): FindHelper {
  return async ({ signal }) => {
    const answer = await ask(ports, signal)
    const said = z.safeParse(whereabouts, parsed(answer))
    if (!said.success) throw fromElsewhere()
    return { device: said.data.peerId, addresses: said.data.addresses }
  }
}

async function ask({ origin, fetch: get }: OwnHelperPorts, signal: AbortSignal): Promise<string> {
  let response: Response
  try {
    response = await get(new URL('/plexus.json', origin), {
      ...{ signal, credentials: 'omit', cache: 'no-store', redirect: 'error' },
    })
  } catch (error) {
    signal.throwIfAborted()
    throw new MeshError('offline', 'The helper this page came from does not answer.', { cause: error })
  }
  if (!response.ok || response.body === null) throw fromElsewhere()
  return readBounded(response.body)
}

async function readBounded(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let size = 0
  let answer = ''
  for await (const piece of body) {
    size += piece.byteLength
    // leaving the loop ends the transfer
    if (size > ANSWER_MAX_BYTES) throw fromElsewhere()
    answer += decoder.decode(piece, { stream: true })
  }
  return answer + decoder.decode()
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    // some other server's page
    return undefined
  }
}

function fromElsewhere(): MeshError {
  return new MeshError('no-helper', 'This page did not come from a helper, so there is nobody to knock at.')
}
