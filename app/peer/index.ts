/**
 * This browser's peer as one tab has it: which tab leads, the chats, asking, joining.
 * Promises that one tab at most holds the peer and that no text is lost when it moves.
 * Must not know screens, nor the DOM: what it needs of a browser is given as ports.
 */
export {
  type Answering,
  type AppPeer,
  type Asked,
  type AskOptions,
  type LiveAnswer,
  type LiveChange,
  type LivePhase,
  type PeerStanding,
  type PeerState,
  type PendingInvitation,
  type SharedChats,
  type SharedMesh,
  type WaitsFor,
} from './app-peer.ts'
export { type ChannelPort, type LockMode, type LockPort } from './leadership.ts'
export { openMesh } from './open-mesh.ts'
export { type OpenMesh, type OpenMeshOptions } from './own-mesh.ts'
export { createAppPeer, type FindHelper, type LifeEvent, type PeerPorts } from './peer.ts'
