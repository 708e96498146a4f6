/**
 * How this helper is reached: its port, its certificates, and what to hand out for
 * which place. Promises that nothing listens beyond this machine while the local
 * network is closed, and that no place beyond it is ever given a page in the clear.
 * Knows nothing of what is served.
 */
export { openReach, type Reach, type ReachOptions } from './reach.ts'
export {
  entranceAddresses,
  networkNames,
  pageAt,
  peerCallers,
  trustPageUrl,
  type Place,
  type Whereabouts,
} from './whereabouts.ts'
