import { isMeshError, type ChatId, type Logger, type Store, type StoreOptions } from '../base/index.ts'
import { chatKey } from './keys.ts'

/** What a damaged record reads as: no operation at all. */
const UNREADABLE = new Uint8Array()

/**
 * The record of a chat; undefined where there is none. One that is damaged is there all
 * the same, and can only not be read, which the log is told: its chat is neither deleted
 * nor gone.
 * @throws MeshError of the Store
 */
export async function getChatRecord(
  { store, log }: { readonly store: Pick<Store, 'get'>; readonly log: Logger },
  chat: ChatId,
  options: StoreOptions = {},
): Promise<Uint8Array | undefined> {
  try {
    return await store.get(chatKey(chat), options)
  } catch (error) {
    if (!isMeshError(error, 'storage-corrupt')) throw error
    log.warn('the record of a chat is damaged', { chat, error })
    return UNREADABLE
  }
}
