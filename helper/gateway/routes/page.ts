import type { Context } from 'hono'
import { messageOf, type Logger } from '../../../mesh/base/index.ts'
import { PAGE_WORKER } from '../healing-worker.ts'
import { badRequest, failureResponse } from '../openai-errors.ts'
import { isCompressible, type PageContent, type PageEncoding, type PageFile, type PageFiles } from '../page-files.ts'
import { OPENING_QUERY, type Openings } from '../openings.ts'
import { PAGE_POLICY } from '../page-policy.ts'
import type { GatewayEnv } from '../request-head.ts'

/**
 * Headers of everything the page is made of, workers included: a worker lives
 * under the policy of its own response.
 */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** Added in a secure context (loopback, TLS), where they isolate the page. */
const ISOLATION_HEADERS: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}

const IMMUTABLE = 'public, max-age=31536000, immutable'
const REVALIDATE = 'no-cache'

/** Everything that is no route: a file of the built page, its shell for a place inside it, or 404 in JSON. */
export function servePage(
  files: PageFiles,
  log: Logger,
  isSecureContext: (context: Context<GatewayEnv>) => boolean,
  openings?: Pick<Openings, 'take'>,
): (context: Context<GatewayEnv>) => Promise<Response> {
  return async (context) => {
    const response = await respond(context, files, log)
    if (response.headers.has('content-security-policy') && isSecureContext(context)) {
      for (const [name, value] of Object.entries(ISOLATION_HEADERS)) response.headers.set(name, value)
    }
    const ledBy = whoLed(context, openings)
    if (ledBy !== undefined) response.headers.set('server-timing', `opened;desc="${ledBy}"`)
    return response
  }
}

/**
 * Who led a browser to the page, which no site can forge: only a browser writes these
 * headers. The page reads it, because a link from another site takes nobody anywhere.
 */
function whoLed(context: Context<GatewayEnv>, openings: Pick<Openings, 'take'> | undefined): string | undefined {
  if (!isDocument(context)) return undefined
  const mark = context.req.query(OPENING_QUERY)
  // a file of this helper's opened the browser
  if (mark !== undefined && openings?.take(mark) === true) return 'none'
  const site = context.req.header('sec-fetch-site')
  return site === 'none' || site === 'same-origin' || site === 'same-site' ? site : 'cross-site'
}

function isDocument(context: Context<GatewayEnv>): boolean {
  return context.req.header('sec-fetch-mode') === 'navigate'
}

async function respond(context: Context<GatewayEnv>, files: PageFiles, log: Logger): Promise<Response> {
  const path = decodedPath(new URL(context.req.url).pathname)
  if (path === undefined) return notFound()
  const { method } = context.req
  const isRead = method === 'GET' || method === 'HEAD'
  const file = await files.find(path === '/' ? '/index.html' : path)
  if (file !== undefined) return isRead ? sendFile(file, context, files, log) : methodNotAllowed('GET, HEAD')
  const isShell = path === '/' || (isRead && isNavigation(path, context))
  if (!isShell) return notFound()
  if (!isRead) return methodNotAllowed('GET, HEAD')
  const shell = await files.find('/index.html')
  return shell === undefined ? noBuild() : sendFile(shell, context, files, log)
}

/** 404 as every part of the API says it: never HTML, never another file. */
export function notFound(): Response {
  return failureResponse(badRequest('There is nothing at this address.', { status: 404, code: 'not_found' }))
}

/** 405 with the methods that are allowed. */
export function methodNotAllowed(allow: string): Response {
  return failureResponse(
    badRequest(`This address takes only ${allow}.`, { status: 405, code: 'method_not_allowed', headers: { allow } }),
  )
}

function decodedPath(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return undefined
  }
}

/** A place inside the page: asked for as a document, and not by a file name. */
function isNavigation(path: string, context: Context<GatewayEnv>): boolean {
  const lastSegment = path.slice(path.lastIndexOf('/') + 1)
  const wantsDocument = (context.req.header('accept') ?? '').includes('text/html')
  return wantsDocument && !lastSegment.includes('.') && !/^\/assets(\/|$)/.test(path) && /^\/[\w~/-]*$/.test(path)
}

async function sendFile(
  file: PageFile,
  context: Context<GatewayEnv>,
  files: PageFiles,
  log: Logger,
): Promise<Response> {
  let encoding = encodingFor(file, context.req.header('accept-encoding') ?? '')
  let content: PageContent
  try {
    content = await files.read(file, encoding)
  } catch (error) {
    log.warn('A file of the page could not be read.', { path: file.path, reason: messageOf(error) })
    return notFound()
  }
  // a small file is not worth compressing; its tag tells
  if (!content.etag.endsWith(`-${encoding}"`)) encoding = 'identity'
  const headers = {
    ...PAGE_HEADERS,
    'cache-control': file.isHashed ? IMMUTABLE : REVALIDATE,
    etag: content.etag,
    ...(isCompressible(file) ? { vary: 'accept-encoding' } : {}),
  }
  // the page itself is always sent: another server at this address may have left one with our tag
  const mayBeKept = file.path !== '/index.html' && file.path !== PAGE_WORKER
  if (mayBeKept && isKnown(content.etag, context.req.header('if-none-match')))
    return new Response(null, { status: 304, headers })
  return new Response(bodyOf(content.bytes), {
    headers: {
      ...headers,
      'content-type': file.type,
      'content-length': String(content.bytes.byteLength),
      ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
    },
  })
}

/** How much of a file is handed to a connection at once, in bytes: what TLS makes of it lies in memory beside it. */
const PIECE_BYTES = 64 * 1024

/** Piece by piece, as fast as it is read. */
function bodyOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (bytes.byteLength <= PIECE_BYTES) return bytes
  let offset = 0
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(bytes.subarray(offset, offset + PIECE_BYTES))
      offset += PIECE_BYTES
      if (offset >= bytes.byteLength) controller.close()
    },
  })
}

function encodingFor(file: PageFile, accepted: string): PageEncoding {
  if (!isCompressible(file)) return 'identity'
  const offers = accepted
    .toLowerCase()
    .split(',')
    .map((offer) => offer.split(';').map((part) => part.trim()))
    .filter(([, quality]) => quality !== 'q=0')
    .map(([name]) => name)
  if (offers.includes('br')) return 'br'
  return offers.includes('gzip') ? 'gzip' : 'identity'
}

function isKnown(etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

const NO_BUILD_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Plexus</title></head>
<body>
<h1>The page is not built yet</h1>
<p>The helper runs, but there is no built page beside it. Run <code>npm run build</code>, then reload.</p>
</body>
</html>
`

function noBuild(): Response {
  return new Response(NO_BUILD_PAGE, {
    status: 503,
    headers: { ...PAGE_HEADERS, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
  })
}
