/**
 * Why an entry does not count: each rule by name, with the sentence it is. The names
 * are the contract (docs/protocols/ledger.md lists them); an entry falls by the first
 * rule that speaks against it.
 */
export const RULES = {
  'unknown-type': 'An entry of a type this version does not know has no effect here.',
  'not-admitted': 'Only a device that was admitted in what the entry saw may write.',
  removed: 'A device that was removed, or whose person was, writes nothing any more.',
  'removal-first': 'A removal beats what the removed did without having been seen by the remover.',
  'demotion-first': 'A lower role beats what was done at the same time by the right of the higher one.',
  'not-allowed': 'The role of the author does not allow it.',
  'unknown-subject': 'What the entry speaks of is not there in what the entry saw.',
  'already-there': 'What the entry brings was already there in what the entry saw.',
  'already-removed': 'What the entry removes was already removed in what the entry saw.',
  'first-use-wins': 'Of several uses of one invitation the one counts that the mesh went on from, else the first.',
  'first-admission-wins':
    'Of admissions of one device to different people the one counts that the device went on from, then one it agreed to, then a proven one, then the one the mesh went on from, then the first.',
  'no-consent': 'Nobody is let in who did not agree to come as just this.',
  'invitation-not-open': 'An invitation that was used, taken back, or whose maker was removed admits nobody.',
  'not-the-recovery-key':
    'Only the recovery key in force brings a device back, and a device that was removed only by a proof for a new certificate.',
  'keeps-an-owner': 'A mesh keeps at least one owner with a device.',
  'lost-support': 'What gave the author its right does not count itself.',
  'wrong-generation': 'A generation follows the newest one its author saw.',
} as const

/** One of {@link RULES}. */
export type RuleName = keyof typeof RULES
