import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly link?: boolean
}

const ROOT = new URL('../../', import.meta.url)
const lock = JSON.parse(await readFile(fileURLToPath(new URL('package-lock.json', ROOT)), 'utf8')) as {
  packages: Readonly<Record<string, LockedPackage>>
}
const manifest = JSON.parse(await readFile(fileURLToPath(new URL('package.json', ROOT)), 'utf8')) as Readonly<
  Record<'dependencies' | 'devDependencies' | 'overrides', Readonly<Record<string, string>>>
>

/** Every locked copy of a package, wherever it lies in the tree. */
function versionsOf(name: string): readonly string[] {
  return Object.entries(lock.packages)
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([, { version }]) => version ?? '0.0.0')
}

function isAtLeast(version: string, minimum: string): boolean {
  const parts = (text: string): number[] => (text.split('-')[0] ?? '').split('.').map(Number)
  const [have, want] = [parts(version), parts(minimum)]
  for (const index of [0, 1, 2]) {
    const difference = (have[index] ?? 0) - (want[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

/** Packages with a past: a copy older than this carries the fault again. Packages that are not installed are kept out by the same rule when they come. */
const MINIMUMS: readonly { readonly name: string; readonly minimum: string; readonly why: string }[] = [
  { name: 'libp2p', minimum: '0.38.0', why: 'CVE-2022-23487: unbounded connections' },
  {
    name: '@libp2p/gossipsub',
    minimum: '17.1.1',
    why: 'CVE-2026-46679: a frame with 349,525 topics; the version whose caps were read',
  },
  {
    name: '@libp2p/kad-dht',
    minimum: '16.4.5',
    why: 'CVE-2026-45783: keys without a namespace fill the disk; the version whose check was read',
  },
  {
    name: 'node-llama-cpp',
    minimum: '3.22.1',
    why: 'CVE-2026-7482, CVE-2026-27940, CVE-2025-53630, CVE-2025-49847, CVE-2025-52566: model file parsers',
  },
  { name: 'katex', minimum: '0.16.21', why: 'CVE-2024-28243 to 28246, CVE-2025-23207' },
  { name: 'dompurify', minimum: '3.2.4', why: 'CVE-2025-26791: mutation through templates' },
  { name: 'marked', minimum: '4.0.10', why: 'CVE-2022-21680, CVE-2022-21681: endless patterns' },
  { name: 'ws', minimum: '8.17.1', why: 'CVE-2024-37890: a request with too many headers' },
  { name: 'hono', minimum: '4.10.3', why: 'CVE-2025-59139, CVE-2025-62610: body limit passed by, token audience' },
  { name: '@hono/node-server', minimum: '1.10.1', why: 'CVE-2024-32652: a malformed Host header ends the process' },
  { name: 'yauzl', minimum: '3.2.0', why: 'archives: sizes checked against the directory' },
  { name: 'undici', minimum: '6.21.1', why: 'CVE-2025-22150, CVE-2024-30260: credentials that follow redirects' },
  { name: 'cross-spawn', minimum: '7.0.5', why: 'CVE-2024-21538: endless pattern' },
  { name: 'vite', minimum: '6.2.7', why: 'CVE-2025-30208 and siblings: files served from outside the root' },
  { name: 'protobufjs', minimum: '7.2.5', why: 'CVE-2023-36665: prototype pollution' },
  { name: 'tar', minimum: '6.2.1', why: 'CVE-2024-28863: endless folders' },
  { name: 'svelte', minimum: '4.2.19', why: 'CVE-2024-45047: script through noscript' },
]

describe('locked packages', () => {
  test.each(MINIMUMS)('$name is at least $minimum ($why)', ({ name, minimum }) => {
    expect(versionsOf(name).filter((version) => !isAtLeast(version, minimum))).toEqual([])
  })

  test('are really there where the product stands on them', () => {
    for (const name of [
      'libp2p',
      'node-llama-cpp',
      'dompurify',
      'marked',
      'ws',
      'hono',
      '@hono/node-server',
      'svelte',
    ]) {
      expect(versionsOf(name).length, name).toBeGreaterThan(0)
    }
  })

  test('never hold what the evidence warns of', () => {
    const unwanted = [
      '@humanspeak/svelte-markdown',
      '@chainsafe/libp2p-gossipsub',
      'express',
      'request',
      'event-stream',
      'react-native',
    ]
    expect(unwanted.filter((name) => versionsOf(name).length > 0)).toEqual([])
  })

  test('say no address to download from', () => {
    expect(
      Object.entries(lock.packages).filter(([, { resolved, link }]) => resolved !== undefined && link !== true),
    ).toEqual([])
  })

  test('compare versions by number', () => {
    expect(isAtLeast('10.0.0', '9.9.9')).toBe(true)
    expect(isAtLeast('3.2.3', '3.2.4')).toBe(false)
    expect(isAtLeast('3.2.4-rc.1', '3.2.4')).toBe(true)
  })
})

test('the engine and everything a peer or a browser speaks to is pinned to one version', () => {
  const pinned = /^(?:libp2p|@libp2p\/.+|node-llama-cpp|hono|@hono\/.+|ws|dompurify|marked|@noble\/.+|@ipld\/.+|zod)$/
  const loose = Object.entries(manifest.dependencies).filter(
    ([name, range]) => pinned.test(name) && !/^\d+\.\d+\.\d+$/.test(range),
  )
  expect(loose).toEqual([])
})
