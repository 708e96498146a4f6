/**
 * An adversary: a device with software of its own at every role, and what it can do to
 * every protocol. `docs/threat-model.md` names the actors.
 */
export { ADVERSARY_ROLES, startAdversary, type Adversary, type AdversaryRole, type Target } from './adversary.ts'
export { ATTACKS, runAttack, type Attack, type Field } from './attacks.ts'
export type { AnyFrame, RawStream } from './raw-stream.ts'
export { SAMPLES, SHAPES, type Sample } from './samples.ts'
export { targetOf } from './target.ts'
