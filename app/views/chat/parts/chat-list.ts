import type { ChatSummary } from '../../../../mesh/state/index.ts'

/** How long ago, as a list is divided. */
export type Age = 'today' | 'week' | 'earlier'

const DAY_MS = 86_400_000

/** True when title or excerpt hold every word that is looked for. */
export function matches(chat: ChatSummary, wanted: string): boolean {
  const text = `${chat.title}\n${chat.excerpt}`.toLocaleLowerCase()
  return wanted
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/** Chats by age, newest group first, empty groups left out; the order inside is kept. */
export function groupByAge(
  chats: readonly ChatSummary[],
  now: number,
): readonly { readonly age: Age; readonly chats: readonly ChatSummary[] }[] {
  const today = new Date(now).setHours(0, 0, 0, 0)
  const ageOf = (chat: ChatSummary): Age =>
    chat.updatedAt >= today ? 'today' : chat.updatedAt >= today - 6 * DAY_MS ? 'week' : 'earlier'
  return (['today', 'week', 'earlier'] as const)
    .map((age) => ({ age, chats: chats.filter((chat) => ageOf(chat) === age) }))
    .filter((group) => group.chats.length > 0)
}

/** An excerpt as a person reads it in one line: without the signs of code, headings, quotes and emphasis. */
export function plainExcerpt(excerpt: string): string {
  return excerpt
    .replace(/```[\w+#-]*/gu, ' ')
    .replace(/(^|\s)(?:#{1,6}|>)\s/gu, '$1')
    .replace(/\*\*|__|`/gu, '')
    .replace(/\s+/gu, ' ')
    .trim()
}
