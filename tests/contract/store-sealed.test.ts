import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import type { PlatformStore } from '../../mesh/base/index.ts'
import { createMemoryData, createMemoryStore } from '../kit/memory-store.ts'
import { platformStoreContract } from './platform-store.contract.ts'
import { sealedStoreContract } from './store-sealed.contract.ts'

let root = ''
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-sealed-'))
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

const openMemory = (): (() => Promise<PlatformStore>) => {
  const data = createMemoryData()
  return () => Promise.resolve(createMemoryStore(data))
}
const openLevel = (): (() => Promise<PlatformStore>) => {
  const directory = String(count++)
  return () => openLevelStore(join(root, directory))
}

sealedStoreContract('sealed, in memory', openMemory)
sealedStoreContract('sealed, over the helper’s (level)', openLevel)
platformStoreContract('in memory', () => openMemory()())
platformStoreContract('of the helper (level)', () => openLevel()())
