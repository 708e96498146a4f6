/**
 * The peer: nodes, links, and one registry of protocols. Promises that nobody who
 * is not admitted is served, and that every byte from outside is bounded before it
 * is decoded. Knows nothing of chats, screens or engines by name.
 */
export { createAdmissions, type Admissions, type Waiting } from './admission.ts'
export { loadAddressBook, type AddressBook } from './address-book.ts'
export { byHost } from './by-host.ts'
export { createKnocks, type Knock, type Knocks } from './knocks.ts'
export { createRecoveries } from './recoveries.ts'
export { createLinks, type Links, type LinkView } from './links.ts'
export { addressesOf, createNode, type NodePreset, type NodeRules, type NodeServices, type PeerNode } from './node.ts'
export { serveProtocols, type Gate, type Protocol, type ProtocolShape } from './protocol.ts'
export { type CapabilityRecord } from './protocols/control/messages.ts'
export { compareAt, tellExchanged, type ComparedThere } from './protocols/compare/compare.ts'
export type { JoinerExchanged, JoinerWaits } from './protocols/compare/messages.ts'
export { createProtocols } from './protocols/index.ts'
export { askDevice, type RemoteEvent } from './protocols/infer/infer.ts'
export {
  knockAt,
  PicturesDiffer,
  proveEarlier,
  proveInvitation,
  recoverAt,
  type Admission,
  type PicturesAtJoiner,
  type ProofGiven,
} from './protocols/join/join.ts'
export { askForKeys, type KeysHost, type SealedKeys } from './protocols/keys/keys.ts'
export { type ReaderFrame, type SourceFrame } from './protocols/sync/messages.ts'
export {
  openSync,
  syncProtocol,
  type ReaderChannel,
  type SourceChannel,
  type SyncChannel,
  type SyncHost,
} from './protocols/sync/sync.ts'
export { findKnockAt } from './protocols/knocks/knocks.ts'
export { isRelayed } from './stream.ts'
