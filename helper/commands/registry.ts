import { askCommand } from './ask.ts'
import type { Command } from './command.ts'
import { configCommand } from './config.ts'
import { devicesCommand, removeCommand, renameCommand } from './devices.ts'
import { doctorCommand } from './doctor.ts'
import { inviteCommand, joinCommand, openCommand } from './links.ts'
import { modelsCommand } from './models.ts'
import { lanCommand, stopCommand, tokenCommand } from './running.ts'
import { trustCommand } from './trust.ts'

/**
 * Every command but `start`, in the order the help shows them. Adding one: a
 * descriptor in this folder and a line here; parsing, help, `--json` and exit codes
 * come with it.
 */
export const COMMANDS: readonly Command[] = [
  askCommand,
  openCommand,
  inviteCommand,
  joinCommand,
  devicesCommand,
  renameCommand,
  removeCommand,
  modelsCommand,
  lanCommand,
  trustCommand,
  tokenCommand,
  configCommand,
  doctorCommand,
  stopCommand,
]
