import { tellsOnlyEnds, type Envelope } from './envelope.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'

type Blaming = Pick<ReplicaState, 'key' | 'name' | 'ports' | 'quarantines' | 'waiting'>

/**
 * True while nothing further is taken of an author: it broke a rule, and may still write. What is here
 * already is shown all the same, and once the author may not write any more its quarantine counts for
 * nothing: by then it may be the hand of a thief, and what was written before is not lost for that. What only
 * tells ends is taken all the same: a device that did not stop the author judges by it what somebody else wrote,
 * and two devices would show different words of that one.
 */
export function isStopped({ quarantines, key, name, ports }: Blaming, { head }: Pick<Envelope, 'head'>): boolean {
  return !tellsOnlyEnds(head) && quarantines.has(key, head.author) && ports.writers.mayWrite(head.author, name.scope)
}

/**
 * An author signed what is against the rules. Who may write is taken no further from; of who may not any
 * more that one envelope is left out, and nothing else.
 * @throws MeshError of the store
 */
export async function blame(state: Blaming, { head }: Envelope, reason: string, options: Options): Promise<void> {
  const { ports, name, quarantines, waiting, key } = state
  const { author } = head
  if (!ports.writers.mayWrite(author, name.scope)) {
    ports.log.info('an envelope of an author who may not write any more breaks a rule', { author, reason })
    return
  }
  waiting.dropAuthor(author)
  if (!quarantines.has(key, author)) await quarantines.add(name, author, reason, options)
}
