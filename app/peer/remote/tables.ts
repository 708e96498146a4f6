import * as z from 'zod/mini'
import type { MeshArchives } from '../../../mesh/archive-types.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import { RECOVERY_TEXT_MAX_LENGTH } from '../../../mesh/base/index.ts'
import { ANSWER_MAX_LENGTH, type Rooms } from '../../../mesh/state/index.ts'
import type { Answering, ChatReading, SharedChats } from '../app-peer.ts'
import type { RoomsReading } from '../rooms-port.ts'
import * as r from './room-schemas.ts'
import * as s from './schemas.ts'
import type { Shape } from './shape.ts'

/**
 * The mesh, as it crosses from the tab that runs it to the others. A method that is
 * new in `Mesh` gets its line here; the compiler asks for it.
 */
export const MESH: Shape<Mesh, 'stop' | 'chats' | 'rooms' | keyof MeshArchives> = {
  self: { kind: 'value', value: s.deviceId },
  events: { kind: 'events', value: s.meshEvent },
  standing: { kind: 'snapshot', value: s.standing },
  devices: { kind: 'snapshot', value: s.devices },
  models: { kind: 'snapshot', value: s.models },
  addresses: { kind: 'snapshot', value: s.lines },
  rename: { kind: 'call', args: [s.deviceId, s.line], value: s.nothing },
  remove: { kind: 'call', args: [s.deviceId], value: s.nothing },
  invite: { kind: 'call', args: [], options: s.inviteOptions, value: s.invitationView },
  preview: { kind: 'call', args: [s.line], options: s.linkContext, value: s.invitationPreview },
  join: {
    kind: 'call',
    args: [s.line],
    options: s.linkContext,
    taps: { onProgress: s.joinProgress },
    value: s.deviceView,
  },
  agreeToJoin: { kind: 'call', args: [s.line, s.yesNo], value: s.nothing },
  pendingJoins: { kind: 'snapshot', value: s.pendingJoins },
  settleJoin: { kind: 'call', args: [s.invitationName, s.yesNo], value: s.nothing },
  knock: { kind: 'call', args: [s.door], taps: { onWords: s.lines }, value: s.deviceView },
  knocks: { kind: 'snapshot', value: s.knocks },
  findKnock: { kind: 'call', args: [s.line], value: s.knockView },
  admitKnock: { kind: 'call', args: [s.line], value: s.nothing },
  people: { kind: 'snapshot', value: s.people },
  setRole: { kind: 'call', args: [s.line, s.role], value: s.nothing },
  renamePerson: { kind: 'call', args: [s.line, s.line], value: s.nothing },
  removePerson: { kind: 'call', args: [s.line], value: s.nothing },
  ledger: { kind: 'snapshot', value: s.ledgerLines },
  verifyLedger: { kind: 'call', args: [], value: s.ledgerCheck },
  invitations: { kind: 'snapshot', value: s.invitationLines },
  revokeInvitation: { kind: 'call', args: [s.invitationName], value: s.nothing },
  keys: { kind: 'snapshot', value: s.keyLines },
  removals: { kind: 'snapshot', value: s.removals },
  recovery: { kind: 'snapshot', value: s.recovery },
  draftRecovery: { kind: 'call', args: [], value: s.recoveryDraft },
  keepRecovery: { kind: 'call', args: [s.line], value: s.nothing },
  removeRecovery: { kind: 'call', args: [], value: s.nothing },
  recover: {
    kind: 'call',
    args: [s.text(RECOVERY_TEXT_MAX_LENGTH), s.place],
    taps: { onProgress: s.recoverPhase },
    value: s.deviceView,
  },
  ask: { kind: 'stream', args: [s.askRequest], value: s.askEvent },
  wake: { kind: 'post', args: [] },
  // the mesh ends with the term of the tab that runs it, never by another tab's word
  stop: { kind: 'own' },
  // every tab reads the chats from the store
  chats: { kind: 'own' },
  // rooms have a table of their own
  rooms: { kind: 'own' },
  // an archive is read and written by the tab that runs the mesh
  exportAll: { kind: 'own' },
  inspectArchive: { kind: 'own' },
  importAll: { kind: 'own' },
}

/** Above what a chat takes, so that the sentence about its length is the chat's. */
const question = s.text(ANSWER_MAX_LENGTH)

/** Asking. Answers on their way are told with their text, so each tab reads `live` from what it heard. */
export const ANSWERING: Shape<Answering, 'changes' | 'live' | 'liveIn'> = {
  changes: { kind: 'own' },
  send: { kind: 'call', args: [s.chatId, question, s.askOptions], value: s.asked },
  regenerate: { kind: 'call', args: [s.chatId, s.messageId, s.askOptions], value: s.messageId },
  edit: { kind: 'call', args: [s.chatId, s.messageId, question, s.askOptions], value: s.asked },
  stop: { kind: 'post', args: [s.messageId] },
  live: { kind: 'own' },
  liveIn: { kind: 'own' },
}

/** Rooms: open ones are told to the tabs that want them; what is done is done where the peer is. */
export const ROOMS: Shape<Rooms, keyof RoomsReading | 'weigh' | 'keepCurrent' | 'stopAll'> = {
  // told as news of rooms
  self: { kind: 'own' },
  list: { kind: 'own' },
  changes: { kind: 'own' },
  problems: { kind: 'own' },
  get: { kind: 'own' },
  // what a tab has open, and how it looks at it, are its wants: they hold as long as the tab lives
  close: { kind: 'own' },
  attend: { kind: 'own' },
  open: { kind: 'call', args: [r.roomId], value: s.nothing },
  create: { kind: 'call', args: [], options: r.createOptions, value: r.roomId, once: true },
  say: { kind: 'call', args: [r.roomId, question], options: r.sayOptions, value: s.messageId },
  edit: { kind: 'call', args: [r.roomId, s.messageId, question], options: r.editOptions, value: s.nothing },
  delete: { kind: 'call', args: [r.roomId, s.messageId], value: s.nothing },
  ask: { kind: 'call', args: [r.roomId, s.messageId], options: r.once, value: s.messageId },
  stop: { kind: 'call', args: [r.roomId, s.messageId], value: s.nothing },
  hide: { kind: 'call', args: [r.roomId, s.messageId, s.yesNo], value: s.nothing },
  rename: { kind: 'call', args: [r.roomId, s.line], value: s.nothing },
  setRule: { kind: 'call', args: [r.roomId, r.rule], value: s.nothing },
  markSeen: { kind: 'post', args: [r.roomId, r.messages] },
  markAllSeen: { kind: 'post', args: [r.roomId] },
  receipts: { kind: 'call', args: [r.roomId, s.messageId], value: r.receipts },
  search: { kind: 'call', args: [s.line, r.searchIn], value: r.search },
  read: { kind: 'call', args: [r.roomId], value: r.lines },
  // asked by the tab that keeps them open
  weigh: { kind: 'own' },
  keepCurrent: { kind: 'own' },
  // rooms end with the mesh they are of
  stopAll: { kind: 'own' },
}

/** Chats: every tab reads the store itself, and one writes. */
export const CHATS: Shape<SharedChats, keyof ChatReading> = {
  changes: { kind: 'own' },
  problems: { kind: 'own' },
  health: { kind: 'own' },
  list: { kind: 'own' },
  get: { kind: 'own' },
  export: { kind: 'own' },
  refresh: { kind: 'own' },
  create: { kind: 'call', args: [], options: z.object({ id: z.optional(s.chatId) }), value: s.chatId },
  rename: { kind: 'call', args: [s.chatId, s.line], value: s.nothing },
  delete: { kind: 'call', args: [s.chatId], value: s.nothing },
  chooseModel: { kind: 'call', args: [s.chatId, z.optional(s.modelId)], value: s.nothing },
  showBranch: { kind: 'call', args: [s.chatId, s.messageId], value: s.nothing },
}
