/**
 * A blind relay: forwards sealed bytes between devices within quotas and holds
 * nothing. Runs alone and inside the helper.
 */
export { HELPER_QUOTAS, OPEN_QUOTAS, relayService, type RelayQuotas } from './relay.ts'
