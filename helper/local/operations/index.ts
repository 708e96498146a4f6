/**
 * Everything the command line may ask of a running helper, one line each. Adding
 * one: a file here, a line below, and a command that calls it.
 */
import { ask } from './ask.ts'
import { devices, removeDevice, renameDevice } from './devices.ts'
import { lan, status, stop, token, trust } from './helper.ts'
import { invite, open } from './invite.ts'
import { join } from './join.ts'
import { getModel, listModels, removeModel, useModel } from './models.ts'

export { type AskProgress, type AskResult } from './ask.ts'
export { type DeviceLine } from './devices.ts'
export { type ModelLine } from './models.ts'

/** The operations by the name they have in the address. */
export const OPERATIONS = {
  ask,
  devices,
  invite,
  join,
  lan,
  'models-get': getModel,
  'models-list': listModels,
  'models-remove': removeModel,
  'models-use': useModel,
  open,
  remove: removeDevice,
  rename: renameDevice,
  status,
  stop,
  token,
  trust,
} as const
