/**
 * Rooms: conversations of people and the AI, as a set of operations that every
 * device folds to the same view. Promises that the order is the same everywhere,
 * that nothing is shown which is not durable here, and that a state never says more
 * than is known. Knows documents by a port, people by a port, and no screen.
 * Operations: docs/protocols/rooms.md.
 */
export { type ArchivedRoom } from './archived.ts'
export { type RoomArchives, type Taken } from './room-archives.ts'
export { createRooms, type RoomsPorts } from './create-rooms.ts'
export { type RoomDirectory } from './directory.ts'
export { type DocumentAwareness, type DocumentChange, type RoomDocument, type StoredOperation } from './document.ts'
export { type Attachment, type Imported, type Mention, type RoomRule } from './operations.ts'
export {
  type Delivery,
  type Late,
  type Once,
  type Receipts,
  type RoomAnswer,
  type RoomAnswerState,
  type RoomChange,
  type RoomGap,
  type RoomHistory,
  type RoomItem,
  type RoomLine,
  type RoomMessage,
  type RoomNews,
  type RoomRecord,
  type Rooms,
  type RoomSeam,
  type RoomSearch,
  type RoomSummary,
  type RoomView,
  type SayOptions,
} from './rooms.ts'
export { createVersions, noChange, type Version, type VersionChange, type Versions } from './versions.ts'
