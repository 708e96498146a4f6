import { Hono } from 'hono'
import type { Logger } from '../../../mesh/base/index.ts'
import type { Face } from '../face.ts'
import type { PageFiles } from '../page-files.ts'
import { headOfContext, type GatewayEnv } from '../request-head.ts'
import { nothingToTrustPage, trustPage } from '../trust-page.ts'
import { methodNotAllowed, notFound, PAGE_HEADERS } from './page.ts'

/** `/trust` and the certificate below it: the same for this machine and for the network. */
export function trustRoutes(face: Face, files: PageFiles, log: Logger): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>()
  app.get('/trust', async (context) => {
    const styles = await stylesOf(files, log)
    const trusted = face.trust()
    const { isSecure } = headOfContext(context)
    const page = trusted === undefined ? nothingToTrustPage(styles) : trustPage(trusted, { styles, isSecure })
    return new Response(page, {
      status: trusted === undefined ? 404 : 200,
      headers: { ...PAGE_HEADERS, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
    })
  })
  app.get('/trust/plexus-authority.crt', () => {
    const trusted = face.trust()
    if (trusted === undefined) return notFound()
    // phones begin to install what comes with this type
    return new Response(`${trusted.certificate}\n`, { headers: { 'content-type': 'application/x-x509-ca-cert' } })
  })
  for (const path of ['/trust', '/trust/plexus-authority.crt']) app.all(path, () => methodNotAllowed('GET, HEAD'))
  app.all('/trust/*', notFound)
  return app
}

/** The style sheets of the built page, by its own word; none where there is no build. */
async function stylesOf(files: PageFiles, log: Logger): Promise<string[]> {
  const shell = await files.find('/index.html')
  if (shell === undefined) return []
  try {
    const html = new TextDecoder().decode((await files.read(shell, 'identity')).bytes)
    return [...html.matchAll(/<link rel="stylesheet"[^>]* href="\.\/(assets\/[\w.-]+\.css)"/g)].map(
      ([, path]) => `/${path ?? ''}`,
    )
  } catch (error) {
    log.warn('The style of the page could not be read.', { error })
    return []
  }
}
