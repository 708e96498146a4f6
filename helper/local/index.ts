/**
 * How the command line of this machine talks to the helper that runs here: one
 * credential made at each start, one address per operation, JSON lines. Promises
 * that leaving stops the work. Knows nothing of how a command is typed or printed.
 */
export { findDevice, findDeviceOrPerson, findInvitation, findPerson, findRoom } from './find-named.ts'
export { createLocalApi, type LocalApiOptions, type LocalLine } from './local-api.ts'
export { createLocalClient, type LocalClient } from './local-client.ts'
export { pictureWords } from './picture-words.ts'
export { createRoomUse, type RoomUse } from './room-use.ts'
export {
  type HelperStatus,
  type LanState,
  type Link,
  type LocalHost,
  type LocalLock,
  type LocalModels,
  type LockState,
  type TransferProgress,
  type TrustReport,
} from './operation.ts'
export {
  type AskProgress,
  type AskResult,
  type DeviceLine,
  type Exported,
  type JoinLine,
  type LedgerCheckLine,
  type LedgerEntryLine,
  type ModelLine,
  type PersonLine,
  type ReadLine,
  type RecoveryState,
  type RoomEntry,
  type Said,
} from './operations/index.ts'
