import type { Context } from 'hono'
import { isMeshError, type Clock } from '../../../mesh/base/index.ts'
import { createRate } from '../../ports/rate.ts'
import type { Face } from '../face.ts'
import { badRequest, failureResponse } from '../openai-errors.ts'
import { bindingsOf, headOfContext, type GatewayEnv } from '../request-head.ts'

/** Guest passes of one address: two at once, then one every 30 s. */
const OF_ADDRESS = { burst: 2, perSecond: 1 / 30, keysMax: 256 } as const
/** Of all addresses together: each is an entry of the ledger for good, and waits for a person's word. */
const OF_ALL = { burst: 6, perSecond: 1 / 120, keysMax: 1 } as const

/**
 * `POST /guest`: an invitation for whoever sees the page without protection, to be
 * allowed by a person of the mesh. A page over TLS gets none: it can do better.
 * Anybody on the network may read what is handed out here, so it is worth no more
 * than asking.
 */
export function guestPass(face: Face, clock: Clock): (context: Context<GatewayEnv>) => Promise<Response> {
  const ofAddress = createRate(clock, OF_ADDRESS)
  const ofAll = createRate(clock, OF_ALL)
  return async (context) => {
    const { isSecure } = headOfContext(context)
    if (!face.guests.areLetIn()) return refused(404, 'This helper lets no guests in.', 'no_guests')
    if (isSecure)
      return refused(403, 'Guest passes are for pages without protection. Ask for an invitation.', 'secure_page')
    const address = bindingsOf(context).incoming?.socket.remoteAddress ?? ''
    if (!ofAddress.take(address) || !ofAll.take('')) return tooMany()
    try {
      const { fragment, expiresAt } = await face.guests.pass({ signal: context.req.raw.signal })
      return Response.json({ fragment, expiresAt })
    } catch (error) {
      if (!isMeshError(error, 'busy')) throw error
      return tooMany()
    }
  }
}

function tooMany(): Response {
  return refused(429, 'Too many guests at once. Try again in some minutes.', 'too_many_guests')
}

function refused(status: number, message: string, code: string): Response {
  return failureResponse(badRequest(message, { status, code }))
}
