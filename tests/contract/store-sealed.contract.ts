import type { PlatformStore } from '../../mesh/base/index.ts'
import { createSealedStore, secretKey } from '../../mesh/seal/index.ts'
import { createSeededRandom } from '../kit/random.ts'
import { storeContract, type StorePlace } from './store.contract.ts'

const random = createSeededRandom('sealed')

/** The sealed store over one of a platform keeps the contract too. The key outlives one opening, as it does in a vault. */
export function sealedStoreContract(
  name: string,
  place: () => () => Promise<PlatformStore>,
  forget?: () => Promise<void>,
): void {
  const createPlace = async (): Promise<StorePlace> => {
    const [openInner, key] = [place(), await secretKey(random.bytes(32))]
    let current: PlatformStore | undefined
    return {
      async open() {
        await current?.close()
        current = await openInner()
        return createSealedStore(current, key, random)
      },
      async clear() {
        await current?.close()
        await forget?.()
      },
    }
  }
  // the numbers are those of the store below, which has past 2^16 in its own contract
  storeContract(name, createPlace, { longLog: 6_010 })
}
