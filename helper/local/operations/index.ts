/**
 * Everything the command line may ask of a running helper, one line each. Adding
 * one: a file here, a line below, and a command that calls it.
 */
import { exportArchive, importArchive } from './archives.ts'
import { ask } from './ask.ts'
import { devices, remove, renameDevice } from './devices.ts'
import { lan, status, stop, token, trust } from './helper.ts'
import { invitations, invite, open, uninvite } from './invite.ts'
import { join } from './join.ts'
import { agreeToJoin, joins, settleJoin } from './joins.ts'
import { ledger, verifyLedger } from './ledger.ts'
import { lockStatus, removeLock, setLock } from './lock.ts'
import { getModel, listModels, removeModel, useModel } from './models.ts'
import { people, setRole } from './people.ts'
import { makeRecovery, recover, recoveryStatus, removeRecovery } from './recovery.ts'
import { createRoom, readRoom, rooms, say } from './rooms.ts'

export { type Exported } from './archives.ts'
export { type AskProgress, type AskResult } from './ask.ts'
export { type DeviceLine } from './devices.ts'
export { type JoinLine } from './joins.ts'
export { type LedgerCheckLine, type LedgerEntryLine } from './ledger.ts'
export { type ModelLine } from './models.ts'
export { type PersonLine } from './people.ts'
export { type RecoveryState } from './recovery.ts'
export { type ReadLine, type RoomEntry, type Said } from './rooms.ts'

/** The operations by the name they have in the address. */
export const OPERATIONS = {
  ask,
  devices,
  export: exportArchive,
  import: importArchive,
  invitations,
  invite,
  join,
  'join-agree': agreeToJoin,
  joins,
  'joins-settle': settleJoin,
  lan,
  ledger,
  'ledger-verify': verifyLedger,
  'lock-remove': removeLock,
  'lock-set': setLock,
  'lock-status': lockStatus,
  'models-get': getModel,
  'models-list': listModels,
  'models-remove': removeModel,
  'models-use': useModel,
  open,
  people,
  recover,
  'recovery-make': makeRecovery,
  'recovery-remove': removeRecovery,
  'recovery-status': recoveryStatus,
  remove,
  rename: renameDevice,
  role: setRole,
  rooms,
  'rooms-create': createRoom,
  'rooms-read': readRoom,
  say,
  status,
  stop,
  token,
  trust,
  uninvite,
} as const
