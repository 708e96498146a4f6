import { existsSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** Packages of very many small files: reading them one by one took longer than most commands. */
const BUNDLED = /^(zod|intl-messageformat|@formatjs\/[^/]+|commander|smol-toml)(\/|$)/

const root = dirname(fileURLToPath(import.meta.url))
const at = (path: string): string => join(root, path)
const isPackage = (id: string): boolean => !/^[./\0]/.test(id) && !/^[A-Za-z]:[\\/]/.test(id) && !BUNDLED.test(id)

/** Programs of the helper by the name of their bundle. One that is not in the tree is left out. */
const PROGRAMS: Readonly<Record<string, string>> = {
  main: at('helper/main.ts'),
  cli: at('helper/cli.ts'),
  relay: at('relay/main.ts'),
  'llama-worker': at('helper/engines/llama/worker.ts'),
  'decode-worker': at('helper/ports/decode-worker.ts'),
}
const BENCH: Readonly<Record<string, string>> = {
  run: at('tests/bench/run.ts'),
  asker: at('tests/bench/asker.ts'),
  attacker: at('tests/bench/attacker.ts'),
  'llama-worker': at('helper/engines/llama/worker.ts'),
}

// Our own code is bundled, most packages stay packages: what runs is what the lockfile names.
export default defineConfig(({ mode }) => ({
  publicDir: false,
  ssr: { noExternal: [BUNDLED] },
  build: {
    ssr: true,
    target: 'node20',
    outDir: at(mode === 'bench' ? 'dist/bench' : 'dist/helper'),
    // a helper that runs from here must still find its files while a new build is made; old ones are removed later
    emptyOutDir: false,
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      input: Object.fromEntries(
        Object.entries(mode === 'bench' ? BENCH : PROGRAMS).filter(([, file]) => existsSync(file)),
      ),
      external: (id: string) => builtinModules.includes(id) || id.startsWith('node:') || isPackage(id),
      output: {
        format: 'es',
        entryFileNames: '[name].js',
        // flat, so that every file finds the installation two folders above itself
        chunkFileNames: '[name]-[hash].js',
      },
    },
  },
}))
