import { lookup as systemLookup } from 'node:dns'
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { abortReason, asMeshError, deadline, MeshError, messageOf, type Clock } from '../../../mesh/base/index.ts'
import { isLoopbackAddress, isPublicAddress } from './public-address.ts'

/** Wait for an answer's first byte, and for each further one. */
const SILENCE_MS = 30_000
const REDIRECT_LIMIT = 5

/** Rules of one guarded request. */
export interface GuardOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** For tests against a stand-in on this machine: allows `http` and loopback addresses, and nothing else new. */
  readonly allowLoopback: boolean
  /** Sent to the first origin only. */
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly method: 'GET' | 'HEAD'
  /** False: a redirect is given to the caller as it is. */
  readonly followRedirects: boolean
}

/**
 * One request to the public internet: https only, every address checked when the
 * connection is made (so a name that changes its answer gains nothing), the token
 * never sent to another origin, at most five redirects.
 * @throws MeshError `offline`, `timeout`, `refused`, `aborted`.
 */
export async function guardedRequest(start: URL, options: GuardOptions): Promise<IncomingMessage> {
  let url = start
  for (let hop = 0; hop <= REDIRECT_LIMIT; hop++) {
    const response = await send(url, options, url.origin === start.origin)
    const status = response.statusCode ?? 0
    const location = response.headers.location
    if (!options.followRedirects || status < 300 || status >= 400 || location === undefined) return response
    response.destroy()
    url = nextUrl(location, url)
  }
  throw new MeshError('refused', `${start.host} sent the download in a circle; it was given up.`)
}

function nextUrl(location: string, from: URL): URL {
  if (!URL.canParse(location, from.href))
    throw new MeshError('refused', `${from.host} pointed to an address that cannot be read.`)
  return new URL(location, from.href)
}

function checkUrl(url: URL, allowLoopback: boolean): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isStandIn = allowLoopback && url.protocol === 'http:' && isLoopbackAddress(host)
  if (url.protocol !== 'https:' && !isStandIn) {
    throw new MeshError('refused', `Models are fetched over https only, not from ${url.protocol}//${url.host}.`)
  }
  // A number as host never reaches the name look-up, so it is checked here.
  if (isIP(host) !== 0 && !isStandIn && !isPublicAddress(host)) throw notPublic(url.host)
  if (url.username !== '' || url.password !== '')
    throw new MeshError('refused', 'An address with a password in it is not used.')
}

function notPublic(host: string): MeshError {
  return new MeshError('refused', `${host} is not an address of the public internet; nothing was fetched from it.`)
}

/** A look-up that fails unless every answer is public: checked at connect, not before. */
function publicLookup(allowLoopback: boolean): LookupFunction {
  return (hostname, options, callback) => {
    systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0)
        return
      }
      const bad = addresses.find(
        ({ address }) => !isPublicAddress(address) && !(allowLoopback && isLoopbackAddress(address)),
      )
      const [first] = addresses
      if (bad !== undefined || first === undefined) callback(notPublic(hostname), '', 0)
      else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

function send(url: URL, options: GuardOptions, isFirstOrigin: boolean): Promise<IncomingMessage> {
  checkUrl(url, options.allowLoopback)
  const time = deadline(options.clock, SILENCE_MS, url.host, options.signal)
  return new Promise<IncomingMessage>((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method: options.method,
      headers: {
        'user-agent': 'plexus',
        // compression would make ranges and sizes meaningless
        'accept-encoding': 'identity',
        ...options.headers,
        ...(isFirstOrigin && options.token !== undefined ? { authorization: `Bearer ${options.token}` } : {}),
      },
      lookup: publicLookup(options.allowLoopback),
      signal: options.signal,
      timeout: SILENCE_MS,
      agent: false,
    })
    const onTime = (): void => {
      request.destroy()
      reject(abortReason(time.signal))
    }
    time.signal.addEventListener('abort', onTime, { once: true })
    request.once('timeout', () => {
      request.destroy(new MeshError('timeout', `${url.host} stopped sending.`))
    })
    request.on('error', (error) => {
      reject(options.signal.aborted ? abortReason(options.signal) : connectError(error, url))
    })
    request.once('response', (response) => {
      time.signal.removeEventListener('abort', onTime)
      resolve(response)
    })
    request.end()
  }).finally(() => {
    time.clear()
  })
}

function connectError(error: unknown, url: URL): MeshError {
  if (error instanceof MeshError) return error
  return asMeshError(
    new MeshError('offline', `${url.host} could not be reached: ${messageOf(error)}.`, { cause: error }),
  )
}
