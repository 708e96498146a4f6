/**
 * Shared documents: sealed, signed envelopes that every device keeps and forwards as
 * they were written, merged by Yjs in this folder alone. Promises that what is
 * acknowledged is durable, that devices with the same envelopes show the same, and
 * that an author who breaks the rules stops nobody but itself.
 */
export { type DecodedStruct, type DecodedUpdate, type Decoder, type DecoderMessage } from './decoder.ts'
export {
  type Document,
  type DocumentChange,
  type DocumentKind,
  type DocumentName,
  type JudgementChange,
  type Operation,
  type Quarantine,
  type Timing,
  type Vector,
} from './document.ts'
export { createDocuments, type Documents, type StoredEvent } from './documents.ts'
export { documentKey } from './envelope.ts'
export { entryKey, entryPlace } from './kinds.ts'
export { type Options } from './options.ts'
export { type EpochKey, type Keyring, type Signer, type SyncPorts, type Writers, type WritingEnd } from './ports.ts'
export { type Presence, type Present } from './presence.ts'
export { type Replica } from './replica.ts'
export { createSyncer, type SyncLinks, type Syncer } from './syncer.ts'
export { createWatchedDecoder, type DecoderWorker, type StartDecoderWorker } from './watched-decoder.ts'
