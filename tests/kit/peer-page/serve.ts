import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { build } from 'vite'
import { ROOT } from '../helper-process.ts'

const here = join(ROOT, 'tests', 'kit', 'peer-page')
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
}

/** Builds the bare peer page into a folder. */
export async function buildPeerPage(outDir: string): Promise<void> {
  await build({ root: here, configFile: join(here, 'vite.config.ts'), logLevel: 'error', build: { outDir } })
}

/** Builds the bare peer page and serves it on loopback. */
export async function servePeerPage(): Promise<{ url: string; close(): Promise<void> }> {
  const outDir = join(ROOT, 'node_modules', '.cache', 'plexus-peer-page')
  await buildPeerPage(outDir)
  return serveFolder(outDir)
}

/** A plain static server on loopback, as any web host is one: no header of ours, no fallback. */
export async function serveFolder(folder: string): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname))
    const file = join(folder, path.endsWith('/') ? join(path, 'index.html') : path)
    stat(file).then(
      () => {
        response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
        createReadStream(file).pipe(response)
      },
      () => {
        response.writeHead(404).end()
      },
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => {
          resolve()
        })
      }),
  }
}
