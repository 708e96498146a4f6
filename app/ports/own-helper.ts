import { MeshError } from '../../mesh/base/index.ts'
import { doorOfWhereabouts, WHEREABOUTS_MAX_BYTES } from '../../mesh/doors.ts'
import type { FindHelper } from '../peer/index.ts'

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
    const door = doorOfWhereabouts(await ask(ports, signal))
    if (door === undefined) throw fromElsewhere()
    return door
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
    if (size > WHEREABOUTS_MAX_BYTES) throw fromElsewhere()
    answer += decoder.decode(piece, { stream: true })
  }
  return answer + decoder.decode()
}

function fromElsewhere(): MeshError {
  return new MeshError('no-helper', 'This page did not come from a helper, so there is nobody to knock at.')
}
