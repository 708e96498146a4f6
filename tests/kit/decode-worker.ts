import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let built: Promise<URL> | undefined

/** The decoder's thread as one file that Node can run, bundled from the sources as they are now. */
export function decodeWorkerFile(): Promise<URL> {
  built ??= bundle()
  return built
}

async function bundle(): Promise<URL> {
  // inside the clone, so that it finds the packages; one for each test process
  const folder = join(ROOT, 'node_modules', '.cache', 'plexus-decoder', String(process.pid))
  await rm(folder, { recursive: true, force: true })
  const aside = `${folder}.new`
  await build({
    configFile: false,
    logLevel: 'error',
    root: ROOT,
    build: {
      ssr: join(ROOT, 'helper/ports/decode-worker.ts'),
      outDir: aside,
      emptyOutDir: true,
      copyPublicDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: 'decode-worker.mjs' } },
    },
  })
  await mkdir(join(folder, '..'), { recursive: true })
  if (!existsSync(folder)) await rename(aside, folder)
  process.on('exit', () => void rm(folder, { recursive: true, force: true }))
  return pathToFileURL(join(folder, 'decode-worker.mjs'))
}
