import type { Store } from '../../mesh/base/index.ts'
import { createMemoryData, createMemoryStore } from '../kit/memory-store.ts'
import { storeContract } from './store.contract.ts'

storeContract('in memory', () => {
  const data = createMemoryData()
  return Promise.resolve({
    open: (): Promise<Store> => Promise.resolve(createMemoryStore(data)),
    clear: () => Promise.resolve(),
  })
})
