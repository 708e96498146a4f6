import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const bundled = new Map<string, Promise<URL>>()

/** A program of the tree as one file that Node can run, bundled from the sources as they are now. */
export function bundle(source: string): Promise<URL> {
  const known = bundled.get(source)
  if (known !== undefined) return known
  const made = make(source)
  bundled.set(source, made)
  return made
}

async function make(source: string): Promise<URL> {
  const name = `${basename(source, '.ts')}.mjs`
  // inside the clone, so that it finds the packages; one for each test process
  const folder = join(ROOT, 'node_modules', '.cache', 'plexus-bundles', String(process.pid), name)
  await rm(folder, { recursive: true, force: true })
  const aside = `${folder}.new`
  await build({
    configFile: false,
    logLevel: 'error',
    root: ROOT,
    build: {
      ssr: join(ROOT, source),
      outDir: aside,
      emptyOutDir: true,
      copyPublicDir: false,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: name } },
    },
  })
  await mkdir(join(folder, '..'), { recursive: true })
  if (!existsSync(folder)) await rename(aside, folder)
  process.on('exit', () => void rm(folder, { recursive: true, force: true }))
  return pathToFileURL(join(folder, name))
}
