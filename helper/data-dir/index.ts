/**
 * The directory a helper keeps: one owner at a time, readable by its user only.
 * Promises that a reader never sees half a file and that a dead owner is replaced.
 * Knows nothing of what the files are for beyond their form.
 */
export {
  makeSecret,
  openDataDir,
  readCredential,
  readReadiness,
  readSwitches,
  type CliCredential,
  type DataDir,
  type Readiness,
  type Switches,
} from './data-dir.ts'
export { createKeyFile } from './key-file.ts'
export { findDirOwner } from './lock.ts'
export { writePrivate } from './private-files.ts'
export { isProcessAlive } from './process-identity.ts'
export { syncDirectory } from './sync-directory.ts'
