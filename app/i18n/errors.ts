import type { ErrorCode } from '../../mesh/base/index.ts'
import { t, type MessageKey } from './translate.ts'

// A code without words does not compile.
const SENTENCES: Readonly<Record<ErrorCode, MessageKey>> = {
  aborted: 'error.aborted',
  timeout: 'error.timeout',
  offline: 'error.offline',
  'peer-gone': 'error.peer-gone',
  refused: 'error.refused',
  'not-admitted': 'error.not-admitted',
  removed: 'error.removed',
  'invitation-expired': 'error.invitation-expired',
  'invitation-used': 'error.invitation-used',
  'invitation-unknown': 'error.invitation-unknown',
  'recovery-unknown': 'error.recovery-unknown',
  unauthorized: 'error.unauthorized',
  malformed: 'error.malformed',
  'too-large': 'error.too-large',
  integrity: 'error.integrity',
  'storage-full': 'error.storage-full',
  'storage-failed': 'error.storage-failed',
  'storage-corrupt': 'error.storage-corrupt',
  locked: 'error.locked',
  'passphrase-wrong': 'error.passphrase-wrong',
  'data-dir-unusable': 'error.data-dir-unusable',
  'data-dir-in-use': 'error.data-dir-in-use',
  'port-taken': 'error.port-taken',
  'config-invalid': 'error.config-invalid',
  'engine-load': 'error.engine-load',
  'engine-memory': 'error.engine-memory',
  'engine-context': 'error.engine-context',
  'engine-lost': 'error.engine-lost',
  'engine-failed': 'error.engine-failed',
  'model-unknown': 'error.model-unknown',
  'model-invalid': 'error.model-invalid',
  'model-unavailable': 'error.model-unavailable',
  'no-source': 'error.no-source',
  'device-unknown': 'error.device-unknown',
  'room-unknown': 'error.room-unknown',
  busy: 'error.busy',
  conflict: 'error.conflict',
  unsupported: 'error.unsupported',
  usage: 'error.usage',
  'no-helper': 'error.no-helper',
  bug: 'error.bug',
}

/** What happened and what to do, for a person, by code. */
export function errorSentence(code: ErrorCode): string {
  return t(SENTENCES[code])
}
