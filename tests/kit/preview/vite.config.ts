import { svelte } from '@sveltejs/vite-plugin-svelte'
import tailwindcss from '@tailwindcss/vite'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** The screens over a scripted peer, with no network at all: for work and for tests. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [tailwindcss(), svelte({ configFile: false, compilerOptions: { runes: true } })],
  server: { host: '127.0.0.1', fs: { allow: [fileURLToPath(new URL('../../..', import.meta.url))] } },
  build: {
    target: 'es2022',
    reportCompressedSize: true,
    assetsInlineLimit: 0,
  },
})
