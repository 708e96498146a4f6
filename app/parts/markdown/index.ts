/**
 * Markdown of an answer as safe HTML. Promises that nothing in a text runs,
 * loads or leads anywhere by itself: raw HTML is shown as text, images are
 * named and not fetched, links wait for a yes. Knows nothing of chats.
 */
export { default as Markdown } from './Markdown.svelte'
