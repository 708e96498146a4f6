import type { TestPeer } from '../peers.ts'
import type { Target } from './adversary.ts'

/** A peer of the test's own process as a target. */
export function targetOf(peer: TestPeer): Target {
  return {
    addresses: () => peer.mesh.addresses(),
    async invite(role) {
      return (await peer.mesh.invite({ confirmation: 'in-advance', person: 'Mallory', role })).url
    },
    remove: (id) => peer.mesh.remove(id),
  }
}
