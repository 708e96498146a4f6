import { Hono, type MiddlewareHandler } from 'hono'
import { messageOf, sortableId, type Clock, type Logger, type Random } from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import { refuseOutsider, zoneOf, type GuardRules, type Refusal } from '../door/index.ts'
import { NO_NETWORK, type Face } from './face.ts'
import { refuseBodyType, refuseStranger, type TokenCheck } from './guard.ts'
import { asksForForeignWorker, healingWorker } from './healing-worker.ts'
import type { Openings } from './openings.ts'
import { createOpenAsks, type OpenAsks } from './open-asks.ts'
import { badRequest, failureOf, failureResponse } from './openai-errors.ts'
import type { PageFiles } from './page-files.ts'
import { headOfContext, type GatewayEnv } from './request-head.ts'
import { chatCompletions } from './routes/chat-completions.ts'
import { proveOrigin, type ProveOrigin } from './routes/origin.ts'
import { listModels, oneModel } from './routes/models.ts'
import { createNetworkRoutes } from './routes/network.ts'
import { methodNotAllowed, notFound, servePage } from './routes/page.ts'
import { trustRoutes } from './routes/trust.ts'
import { health, whereabouts } from './routes/whereabouts.ts'

/** Routes of another part of the helper, behind the same Host and Origin lists. */
export interface GatewayMount {
  /** Where they begin, `/local` say. */
  readonly path: string
  readonly app: Hono
  /** `token`: the gateway's token is wanted first. `own`: the routes check a credential of their own. */
  readonly auth: 'token' | 'own'
}

/** What the app is made of. */
export interface GatewayAppPorts {
  readonly mesh: Mesh
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly isToken: TokenCheck
  readonly files: PageFiles
  /** The names and origins that are ours; known once the port is. */
  readonly rules: () => GuardRules
  readonly asks?: OpenAsks
  /** The helper on its network; absent: on none. */
  readonly face?: Face
  /** Absent: nobody proves to a page whose it is. */
  readonly prove?: ProveOrigin | undefined
  readonly mounts?: readonly GatewayMount[]
  /** Pages this helper opens itself; absent: none. */
  readonly openings?: Openings | undefined
}

/** The gateway as one web-standard app: `app.request()` answers without a socket. */
export type GatewayApp = Hono<GatewayEnv>

/** How long after a foreign worker was replaced pages are loaded past the browser's own cache, in ms. */
const HEALING_MS = 10 * 60 * 1_000

/** Every route, each behind the guard. The order is: names, token, method, type, size, content. */
export function createGatewayApp(ports: GatewayAppPorts): GatewayApp {
  const { mesh, log } = ports
  const face = ports.face ?? NO_NETWORK
  const app = new Hono<GatewayEnv>()
  const requireToken: MiddlewareHandler<GatewayEnv> = async (context, next) => {
    const refusal = refuseStranger(headOfContext(context).authorization, ports.isToken)
    return refusal === undefined ? next() : refusalResponse(refusal)
  }

  let healedAtMs = -Infinity
  app.use('*', stampAnswers(ports))
  // the browser's own cache may hold forged files under our names too, kept for a year
  app.use('*', async (context, next) => {
    await next()
    const isHealing = ports.clock.monotonic() - healedAtMs < HEALING_MS
    if (isHealing && context.req.header('sec-fetch-mode') === 'navigate')
      context.res.headers.set('clear-site-data', '"cache"')
  })
  const network = createNetworkRoutes({
    mesh,
    clock: ports.clock,
    log,
    face,
    files: ports.files,
    herePaths: herePaths(ports.mounts ?? []),
  })
  app.use('*', async (context, next) => {
    const head = headOfContext(context)
    const rules = ports.rules()
    const refusal = refuseOutsider(head, rules)
    if (refusal === undefined && asksForForeignWorker(context.req.raw)) {
      log.warn('A browser has a service worker of somebody else for this address; it is replaced.')
      healedAtMs = ports.clock.monotonic()
      return healingWorker()
    }
    if (refusal === undefined)
      return zoneOf(head, rules) === 'here' ? next() : network.fetch(context.req.raw, context.env)
    log.warn('A request from outside was refused.', { code: refusal.code, method: context.req.method })
    return refusalResponse(refusal)
  })

  addMounts(app, ports.mounts ?? [], requireToken)
  app.use('/v1/*', requireToken)
  app.use('/api/*', requireToken)

  const chat = chatCompletions({
    mesh,
    clock: ports.clock,
    random: ports.random,
    log,
    asks: ports.asks ?? createOpenAsks(),
  })
  app.get('/v1/models', listModels(mesh)).all('/v1/models', () => methodNotAllowed('GET, HEAD'))
  app.get('/v1/models/:id{.+}', oneModel(mesh)).all('/v1/models/:id{.+}', () => methodNotAllowed('GET, HEAD'))
  app.post('/v1/chat/completions', chat).all('/v1/chat/completions', () => methodNotAllowed('POST'))
  app.get('/api/v1/events', upgradeRequired).all('/api/v1/events', () => methodNotAllowed('GET'))
  app.get('/health', health(mesh)).all('/health', () => methodNotAllowed('GET, HEAD'))
  app.get('/plexus.json', whereabouts(mesh, face)).all('/plexus.json', () => methodNotAllowed('GET, HEAD'))
  if (ports.prove !== undefined) app.post('/plexus/origin', proveOrigin(ports.prove))
  app.all('/plexus/*', notFound)
  app.all('/v1/*', notFound)
  app.all('/api/*', notFound)
  app.route('/', trustRoutes(face, ports.files, log))
  app.all(
    '*',
    servePage(ports.files, log, () => true, ports.openings),
  )

  app.notFound(notFound)
  app.onError((error, context) => {
    const failure = failureOf(error)
    if (failure.status === 500)
      log.error('A request failed.', { path: context.req.path, reason: messageOf(error), error })
    return failureResponse(failure)
  })
  return app
}

/** Where everything begins that is not the page's. */
function herePaths(mounts: readonly GatewayMount[]): string[] {
  return ['/v1', '/api', '/health', ...mounts.map((mount) => mount.path)]
}

/** Gives every answer an id for logs and support, and headers that keep it from other origins. */
function stampAnswers({ clock, random }: GatewayAppPorts): MiddlewareHandler<GatewayEnv> {
  return async (context, next) => {
    const requestId = `req_${sortableId(clock.now(), random)}`
    context.set('requestId', requestId)
    await next()
    const { headers } = context.res
    headers.set('x-request-id', requestId)
    headers.set('x-content-type-options', 'nosniff')
    headers.set('cross-origin-resource-policy', 'same-origin')
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  }
}

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

function addMounts(
  app: GatewayApp,
  mounts: readonly GatewayMount[],
  requireToken: MiddlewareHandler<GatewayEnv>,
): void {
  for (const mount of mounts) {
    if (mount.auth === 'token') app.use(`${mount.path}/*`, requireToken)
    app.use(`${mount.path}/*`, async (context, next) => {
      const refusal = METHODS_WITH_BODY.has(context.req.method) ? refuseBodyType(headOfContext(context)) : undefined
      return refusal === undefined ? next() : refusalResponse(refusal)
    })
    app.route(mount.path, mount.app)
    app.all(`${mount.path}/*`, notFound)
  }
}

function upgradeRequired(): Response {
  return failureResponse(
    badRequest('Events come over a WebSocket: connect with ws:// instead.', {
      status: 426,
      code: 'upgrade_required',
      headers: { upgrade: 'websocket' },
    }),
  )
}

/** The answer to a request that the guard kept out. */
export function refusalResponse(refusal: Refusal): Response {
  const headers = refusal.status === 401 ? { 'www-authenticate': 'Bearer realm="plexus"' } : undefined
  return failureResponse(
    badRequest(refusal.message, {
      status: refusal.status,
      code: refusal.code,
      ...(headers === undefined ? {} : { headers }),
    }),
  )
}
