import * as z from 'zod'
import { PASSPHRASE_MAX_LENGTH } from '../../../mesh/base/index.ts'
import { operation, type LockState } from '../operation.ts'

/** Whether a passphrase is needed to open the data of this helper. */
export const lockStatus = operation<Record<string, never>, never, LockState>({
  name: 'lock-status',
  input: z.strictObject({}),
  run: (_input, { host, signal }) => host.lock.state({ signal }),
})

/** Sets the passphrase, or changes it. */
export const setLock = operation<{ passphrase: string }, never, LockState>({
  name: 'lock-set',
  input: z.object({ passphrase: z.string().max(PASSPHRASE_MAX_LENGTH) }),
  run: (input, { host, signal }) => host.lock.set(input.passphrase, { signal }),
})

/** Takes the passphrase away. */
export const removeLock = operation<Record<string, never>, never, LockState>({
  name: 'lock-remove',
  input: z.strictObject({}),
  run: (_input, { host, signal }) => host.lock.remove({ signal }),
})
