import { storeContract } from '../../tests/contract/store.contract.ts'
import { createVolatileStore } from './volatile-store.ts'

// it forgets when it is closed, and says so: the case of reopening gets its data by hand
storeContract('of a tab that may not store', () => {
  let store = createVolatileStore()
  let opened = 0
  return Promise.resolve({
    async open() {
      opened += 1
      if (opened === 1) return store
      store = createVolatileStore()
      await store.put('key', new Uint8Array([1]))
      await store.append('log/a', [new Uint8Array([1]), new Uint8Array([2])])
      return store
    },
    clear: () => store.close(),
  })
})
