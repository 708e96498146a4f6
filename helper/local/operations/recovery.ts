import * as z from 'zod'
import { RECOVERY_TEXT_MAX_LENGTH } from '../../../mesh/base/index.ts'
import type { RecoverPhase, RecoveryDraft, RecoveryView } from '../../../mesh/recovery-types.ts'
import { findDoor } from '../find-door.ts'
import { operation } from '../operation.ts'
import { describeDevice, type DeviceLine } from './devices.ts'

/** Whether there are recovery words, as scripts see it; times in ms since 1970. */
export interface RecoveryState {
  readonly since: number | null
  /** Name of the device that made them. */
  readonly by: string | null
  /** Where this device is reached: what to write beside the words. */
  readonly addresses: readonly string[]
}

function describe(view: RecoveryView | null, addresses: readonly string[]): RecoveryState {
  return { since: view?.since ?? null, by: view?.byName ?? null, addresses }
}

/** Whether the person of this helper has recovery words. */
export const recoveryStatus = operation<Record<string, never>, never, RecoveryState>({
  name: 'recovery-status',
  input: z.strictObject({}),
  run: (_input, { host: { mesh } }) => Promise.resolve(describe(mesh.recovery(), mesh.addresses())),
})

/** Makes words and puts them in force; those before work no more. */
export const makeRecovery = operation<Record<string, never>, never, RecoveryState & RecoveryDraft>({
  name: 'recovery-make',
  input: z.strictObject({}),
  async run(_input, { host: { mesh }, signal }) {
    const draft = await mesh.draftRecovery({ signal })
    await mesh.keepRecovery(draft.words.join(' '), { signal })
    return { ...describe(mesh.recovery(), mesh.addresses()), ...draft }
  },
})

/** Takes the words back. */
export const removeRecovery = operation<Record<string, never>, never, RecoveryState>({
  name: 'recovery-remove',
  input: z.strictObject({}),
  async run(_input, { host: { mesh }, signal }) {
    await mesh.removeRecovery({ signal })
    return describe(mesh.recovery(), mesh.addresses())
  },
})

/** How far a coming back is. */
interface RecoverProgress {
  readonly phase: RecoverPhase
}

/** Who came back, and with which other devices. */
interface Recovered {
  readonly recovered: true
  /** The device that let this one in. */
  readonly device: DeviceLine
  /** The other devices of this person: those that are lost can be removed. */
  readonly others: readonly DeviceLine[]
}

/** Makes this helper a device of the person whose words or parts these are. */
export const recover = operation<{ secret: string; place: string }, RecoverProgress, Recovered>({
  name: 'recover',
  input: z.object({
    secret: z.string().min(1).max(RECOVERY_TEXT_MAX_LENGTH),
    place: z.string().trim().min(1).max(4096),
  }),
  async run({ secret, place }, { host: { mesh }, signal, emit }) {
    const door = await findDoor(place, { signal })
    const device = await mesh.recover(secret, door, {
      signal,
      onProgress: (phase) => {
        emit({ phase })
      },
    })
    const others = mesh.devices().filter((one) => one.person === '' && one.id !== mesh.self)
    return { recovered: true, device: describeDevice(device), others: others.map(describeDevice) }
  },
})
