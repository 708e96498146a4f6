import type { Standing } from '../../mesh/mesh-types.ts'
import type { PeerStanding } from '../peer/app-peer.ts'

/** What the one banner may be about, the worst first. */
export type BannerKind =
  | 'problem'
  | 'guest'
  | 'volatile'
  | 'removed'
  | 'ledger'
  | 'joined'
  | 'waiting'
  | 'silent'
  | 'moving'
  | 'offline'
  | 'may-vanish'
  | 'update'

/** What it is decided from. */
export interface BannerFacts {
  readonly standing: PeerStanding
  /** The tab that holds the peer does not answer. */
  readonly leaderSilent: boolean
  readonly membership: Standing
  /** This page came without protection. */
  readonly guest: boolean
  readonly volatile: boolean
  readonly problem: boolean
  /** The ledger did not pass its check. */
  readonly ledgerFaulty: boolean
  /** A device of this person came and nobody said here that it is known. */
  readonly newcomer: boolean
  /** Somebody waits to be let in, and this page does not show the pictures now. */
  readonly waiting: boolean
  readonly online: boolean
  /** The browser may delete what is worth keeping. */
  readonly mayVanish: boolean
  readonly updateReady: boolean
}

/** The one thing worth a banner now: unprotected or data may be lost > removed > ledger in doubt > new device > somebody waits > a silent tab > offline > data may go one day > update. */
export function bannerFor(facts: BannerFacts): BannerKind | undefined {
  if (facts.problem) return 'problem'
  if (facts.guest) return 'guest'
  if (facts.volatile) return 'volatile'
  if (facts.membership === 'removed') return 'removed'
  if (facts.ledgerFaulty) return 'ledger'
  if (facts.newcomer) return 'joined'
  if (facts.waiting) return 'waiting'
  if (facts.standing === 'moving') return 'moving'
  if (facts.standing === 'follower' && facts.leaderSilent) return 'silent'
  if (!facts.online) return 'offline'
  if (facts.mayVanish) return 'may-vanish'
  if (facts.updateReady) return 'update'
  return undefined
}
