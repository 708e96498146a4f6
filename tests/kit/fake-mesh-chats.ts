import { createEvents } from '../../mesh/base/index.ts'
import type { MeshChats } from '../../mesh/chats-types.ts'

const never = createEvents<never>(() => undefined)

/** A mesh that keeps no chats. */
export const NO_CHATS: MeshChats = { changes: never, problems: never, wrote: () => undefined }
