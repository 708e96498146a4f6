import { Hono } from 'hono'
import { messageOf, type Clock, type Logger } from '../../../mesh/base/index.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import type { Face } from '../face.ts'
import { HERE_ONLY } from '../guard.ts'
import { badRequest, failureOf, failureResponse } from '../openai-errors.ts'
import type { PageFiles } from '../page-files.ts'
import { headOfContext, type GatewayEnv } from '../request-head.ts'
import { guestPass } from './guest.ts'
import { methodNotAllowed, servePage } from './page.ts'
import { trustRoutes } from './trust.ts'
import { whereaboutsForNetwork } from './whereabouts.ts'

/** What the local network is served from. */
export interface NetworkRoutesPorts {
  readonly mesh: Mesh
  readonly clock: Clock
  readonly log: Logger
  readonly files: PageFiles
  readonly face: Face
  /** Where routes for this machine begin; the network is told that they are not for it. */
  readonly herePaths: readonly string[]
}

/**
 * Everything the local network gets over HTTP. An app of its own, so that a route
 * added to the gateway is not on the network unless it is added here too.
 */
export function createNetworkRoutes(ports: NetworkRoutesPorts): Hono<GatewayEnv> {
  const { mesh, log, files, face } = ports
  const app = new Hono<GatewayEnv>()
  for (const path of ports.herePaths) app.all(path, refuse).all(`${path}/*`, refuse)
  app.get('/plexus.json', whereaboutsForNetwork(mesh, face)).all('/plexus.json', () => methodNotAllowed('GET, HEAD'))
  app.post('/guest', guestPass(face, ports.clock)).all('/guest', () => methodNotAllowed('POST'))
  app.route('/', trustRoutes(face, files, log))
  app.all(
    '*',
    // plain HTTP from the network is no secure context: browsers call the isolation headers an error there
    servePage(files, log, (context) => headOfContext(context).isSecure),
  )
  app.onError((error, context) => {
    log.error('A request failed.', { path: context.req.path, reason: messageOf(error), error })
    return failureResponse(failureOf(error))
  })
  return app
}

function refuse(): Response {
  return failureResponse(badRequest(HERE_ONLY.message, { status: HERE_ONLY.status, code: HERE_ONLY.code }))
}
