/**
 * Typed state of a person, kept behind the Store port. Knows nothing of screens
 * and nothing of the network.
 */
export {
  type AnswerFigures,
  type AnswerWriter,
  type ChatChange,
  type Chats,
  type ChatsHealth,
  type ChatSummary,
  type ChatView,
  type MessageState,
  type LateWords,
  type MessageView,
  type UnbegunAnswer,
} from './chats.ts'
export { archivedChats, countChats, takeChat, type ArchivedChat } from './archived-chats.ts'
export { entryId, isEntryIdOf, markOf } from './entry-id.ts'
export { createChatMirror, type ChatDocuments, type ChatMirror, type ChatMirrorPorts } from './chat-mirror.ts'
export { type ChatEntry } from './chat-entry.ts'
export { type ChatDocument } from './chat-reconcile.ts'
export { createChats, type AnswerWriters, type ChatsPorts } from './create-chats.ts'
export { ANSWER_MAX_LENGTH, QUESTION_MAX_LENGTH, TITLE_MAX_LENGTH } from './limits.ts'
export { type LiveText } from './views.ts'
export { createTurns, type Turns } from './turns.ts'
export {
  createRooms,
  type ArchivedRoom,
  type Attachment,
  type Delivery,
  type DocumentAwareness,
  type DocumentChange,
  type Imported,
  type Late,
  type Mention,
  type Once,
  type Receipts,
  type RoomAnswer,
  type RoomAnswerState,
  type RoomArchives,
  type RoomChange,
  type RoomDirectory,
  type RoomDocument,
  type RoomGap,
  type RoomHistory,
  type RoomItem,
  type RoomLine,
  type RoomMessage,
  type RoomNews,
  type RoomRecord,
  type RoomRule,
  type Rooms,
  type RoomSeam,
  type RoomSearch,
  type RoomsPorts,
  type RoomSummary,
  type RoomView,
  type SayOptions,
  type StoredOperation,
  type Taken,
  createVersions,
  noChange,
  type Version,
  type VersionChange,
  type Versions,
} from './rooms/index.ts'
