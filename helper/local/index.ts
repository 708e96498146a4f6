/**
 * How the command line of this machine talks to the helper that runs here: one
 * credential made at each start, one address per operation, JSON lines. Promises
 * that leaving stops the work. Knows nothing of how a command is typed or printed.
 */
export { findDevice } from './find-device.ts'
export { createLocalApi, type LocalApiOptions, type LocalLine } from './local-api.ts'
export { createLocalClient, type LocalClient } from './local-client.ts'
export {
  type HelperStatus,
  type LanState,
  type Link,
  type LocalHost,
  type LocalModels,
  type TransferProgress,
  type TrustReport,
} from './operation.ts'
export { type AskProgress, type AskResult, type DeviceLine, type ModelLine } from './operations/index.ts'
