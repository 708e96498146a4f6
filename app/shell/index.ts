/**
 * The frame around every place: navigation, the one banner, the status region,
 * toasts and dialogs. Given a peer and what the page says about itself, it shows
 * everything; while the data is locked, the one thing that opens it. Must not know how a peer is made.
 */
export { default as Unlock } from './Unlock.svelte'
export { default as Shell } from './Shell.svelte'
export { default as OtherServer } from './OtherServer.svelte'
