import { exportCommand, importCommand } from './archives.ts'
import { askCommand } from './ask.ts'
import type { Command } from './command.ts'
import { configCommand } from './config.ts'
import { devicesCommand, removeCommand, renameCommand } from './devices.ts'
import { doctorCommand } from './doctor.ts'
import { ledgerCommand } from './ledger.ts'
import { joinCommand, joinsCommand } from './joins.ts'
import { invitationsCommand, inviteCommand, openCommand, uninviteCommand } from './links.ts'
import { lockCommand } from './lock.ts'
import { modelsCommand } from './models.ts'
import { peopleCommand, roleCommand } from './people.ts'
import { readCommand, roomsCommand, sayCommand } from './rooms.ts'
import { recoverCommand, recoveryCommand } from './recovery.ts'
import { lanCommand, stopCommand, tokenCommand } from './running.ts'
import { trustCommand } from './trust.ts'

/**
 * Every command but `start`, in the order the help shows them. Adding one: a
 * descriptor in this folder and a line here; parsing, help, `--json` and exit codes
 * come with it.
 */
export const COMMANDS: readonly Command[] = [
  askCommand,
  roomsCommand,
  sayCommand,
  readCommand,
  exportCommand,
  importCommand,
  openCommand,
  inviteCommand,
  invitationsCommand,
  uninviteCommand,
  joinCommand,
  joinsCommand,
  recoverCommand,
  recoveryCommand,
  devicesCommand,
  renameCommand,
  removeCommand,
  peopleCommand,
  roleCommand,
  ledgerCommand,
  modelsCommand,
  lanCommand,
  lockCommand,
  trustCommand,
  tokenCommand,
  configCommand,
  doctorCommand,
  stopCommand,
]
