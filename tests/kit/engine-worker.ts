import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SOURCES = ['helper/engines/llama', 'mesh/base', 'mesh/engine']

let built: Promise<URL> | undefined

/**
 * The engine process as one file that Node can run: bundled from the sources as
 * they are now, once for each state of them. It lies inside the clone, so that
 * it finds the packages.
 */
export function engineWorkerFile(): Promise<URL> {
  built ??= buildWorker()
  return built
}

async function buildWorker(): Promise<URL> {
  const folder = join(ROOT, 'node_modules', '.cache', 'plexus-engine', await hashSources())
  const file = join(folder, 'llama-worker.mjs')
  if (existsSync(file)) return pathToFileURL(file)
  // Built aside and moved, so that two test processes never see half a file.
  const aside = `${folder}.${String(process.pid)}`
  await build({
    configFile: false,
    logLevel: 'error',
    root: ROOT,
    build: {
      ssr: join(ROOT, 'helper/engines/llama/worker.ts'),
      outDir: aside,
      emptyOutDir: true,
      copyPublicDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: 'llama-worker.mjs' } },
    },
  })
  await mkdir(join(folder, '..'), { recursive: true })
  await rename(aside, folder).catch(async (error: unknown) => {
    // Another test process was faster; its file is as good.
    if (!existsSync(file)) throw error
    await rm(aside, { recursive: true, force: true })
  })
  return pathToFileURL(file)
}

async function hashSources(): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of SOURCES) {
    const names = (await readdir(join(ROOT, folder), { recursive: true })).filter((name) => name.endsWith('.ts')).sort()
    for (const name of names) {
      if (!name.endsWith('.test.ts')) hash.update(name).update(await readFile(join(ROOT, folder, name)))
    }
  }
  return hash.digest('hex').slice(0, 16)
}
