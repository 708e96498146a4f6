/**
 * Budgets: what each device and each connection may cost this one, at its role. Pure
 * but for the clock; the node, the streams and the registry charge and wait here.
 */
export { createBucket, type Bucket, type Rate } from './bucket.ts'
export {
  accountOf,
  bindAccount,
  createBudgets,
  payForMessage,
  payForStream,
  type Account,
  type Budgets,
  type Holding,
} from './budgets.ts'
export type { Spender } from './rates.ts'
export { createWorkMeter, type Piece, type WorkMeter } from './work.ts'
