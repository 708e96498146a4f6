import type { Standing } from '../../mesh/mesh-types.ts'
import type { PeerStanding } from '../peer/app-peer.ts'

/** What the one banner may be about, the worst first. */
export type BannerKind = 'problem' | 'volatile' | 'removed' | 'silent' | 'moving' | 'offline' | 'update'

/** What it is decided from. */
export interface BannerFacts {
  readonly standing: PeerStanding
  /** The tab that holds the peer does not answer. */
  readonly leaderSilent: boolean
  readonly membership: Standing
  readonly volatile: boolean
  readonly problem: boolean
  readonly online: boolean
  readonly updateReady: boolean
}

/** The one thing worth a banner now: data may be lost > removed > a silent tab > offline > update. */
export function bannerFor(facts: BannerFacts): BannerKind | undefined {
  if (facts.problem) return 'problem'
  if (facts.volatile) return 'volatile'
  if (facts.membership === 'removed') return 'removed'
  if (facts.standing === 'moving') return 'moving'
  if (facts.standing === 'follower' && facts.leaderSilent) return 'silent'
  if (!facts.online) return 'offline'
  if (facts.updateReady) return 'update'
  return undefined
}
