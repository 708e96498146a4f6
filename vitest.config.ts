import { defineConfig } from 'vitest/config'

// unit: pure modules, contracts, property tests. peers: simulations and attacks, several
// peers in one process; what they measure of memory is a difference within one test.
// Both load their modules once for a worker: loading them for each file took as long as the tests.
// screens: every screen in real Chromium, over a mesh made up in the page; they need
// no port of ours, so they run beside the units. process: real helper and relay
// processes. page: real Chromium over real helpers. net: both, on machines of their own
// in network namespaces; two files of these three at a time.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: [
            'mesh/**/*.test.ts',
            'helper/**/*.test.ts',
            'relay/**/*.test.ts',
            'app/**/*.test.ts',
            'tests/{unit,contract,arch}/**/*.test.ts',
          ],
          setupFiles: ['tests/kit/setup.ts'],
          testTimeout: 30_000,
          isolate: false,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'peers',
          sequence: { groupOrder: 0 },
          include: ['tests/{security,sim}/**/*.test.ts'],
          setupFiles: ['tests/kit/setup.ts'],
          testTimeout: 30_000,
          isolate: false,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'screens',
          sequence: { groupOrder: 0 },
          include: ['tests/page/{recovery,screens}.test.ts'],
          setupFiles: ['tests/kit/setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'process',
          sequence: { groupOrder: 1 },
          include: ['tests/process/**/*.test.ts'],
          setupFiles: ['tests/kit/setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'page',
          sequence: { groupOrder: 1 },
          include: ['tests/page/**/*.test.ts'],
          exclude: ['tests/page/{recovery,screens}.test.ts'],
          setupFiles: ['tests/kit/setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'net',
          sequence: { groupOrder: 1 },
          include: ['tests/net/**/*.test.ts'],
          setupFiles: ['tests/kit/setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
