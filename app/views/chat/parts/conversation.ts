// what only a chat with messages needs, Markdown above all: its bytes come when one is opened or begun
export { default as Thread } from './Thread.svelte'
export { default as WhyPanel } from './WhyPanel.svelte'
