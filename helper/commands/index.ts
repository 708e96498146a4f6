/**
 * The commands of `plexus`, one line each. Adding one: a descriptor in this folder
 * and a line below; parsing, help, `--json` and exit codes come with it. `start`
 * is the program itself and lives in the composition root.
 */
import { askCommand } from './ask.ts'
import type { Command } from './command.ts'
import { configCommand } from './config.ts'
import { devicesCommand, removeCommand, renameCommand } from './devices.ts'
import { doctorCommand } from './doctor.ts'
import { inviteCommand, joinCommand, openCommand } from './links.ts'
import { modelsCommand } from './models.ts'
import { lanCommand, stopCommand, tokenCommand } from './running.ts'

export { type Command, type CommandContext, type CommandInput, type CommandResult } from './command.ts'

/** Every command, in the order the help shows them. */
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
  tokenCommand,
  configCommand,
  doctorCommand,
  stopCommand,
]
