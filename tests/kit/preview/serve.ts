import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.woff2': 'font/woff2',
}

/** The policy of the real page, without its connections: the screens must do with it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** A served preview. */
export interface ServedPreview {
  readonly origin: string
  close(): Promise<void>
}

/** Builds the preview and serves it on a free loopback port, below a path that is not the root. */
export async function servePreview(): Promise<ServedPreview> {
  // a place of its own: several files of tests build it at the same time
  const built = await mkdtemp(join(tmpdir(), 'plexus-preview-'))
  const output = { outDir: built, emptyOutDir: true }
  await build({ configFile: join(HERE, 'vite.config.ts'), base: './', logLevel: 'error', build: output })
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const file = normalize(path.replace(/^\/below/, '').replace(/\/$/, '/index.html'))
    const whole = join(built, file)
    stat(whole).then(
      () => {
        response.writeHead(200, {
          'content-type': TYPES[extname(whole)] ?? 'application/octet-stream',
          'content-security-policy': POLICY,
          'cache-control': 'max-age=3600',
          'x-content-type-options': 'nosniff',
        })
        createReadStream(whole).pipe(response)
      },
      () => {
        response.writeHead(404).end()
      },
    )
  })
  const port = await listen(server)
  return {
    origin: `http://127.0.0.1:${String(port)}`,
    async close() {
      await new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => {
          resolve()
        })
      })
      await rm(built, { recursive: true, force: true })
    },
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
