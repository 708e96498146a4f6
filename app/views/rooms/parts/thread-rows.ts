import type { MessageId } from '../../../../mesh/base/index.ts'
import type { RoomItem } from '../../../../mesh/state/index.ts'

/** A line of a thread: an item of the room, the beginning of a day, or of what is unread. */
export type ThreadRow =
  | RoomItem
  | { readonly kind: 'day'; readonly id: string; readonly at: number }
  | { readonly kind: 'unread'; readonly id: 'unread' }

/** How many items are drawn at first, and how many more each time. */
export const ROWS_STEP = 120

/** The last items with the lines between them. */
export function threadRows(items: readonly RoomItem[], count: number, unreadFrom: MessageId | undefined): ThreadRow[] {
  const rows: ThreadRow[] = []
  let day: number | undefined
  for (const item of items.slice(-count)) {
    const at = item.kind === 'gap' ? undefined : item.writtenAt
    const itsDay = at === undefined ? day : new Date(at).setHours(0, 0, 0, 0)
    if (at !== undefined && itsDay !== undefined && itsDay !== day) {
      rows.push({ kind: 'day', id: `day-${String(itsDay)}-${item.id}`, at })
      day = itsDay
    }
    if (item.id === unreadFrom) rows.push({ kind: 'unread', id: 'unread' })
    rows.push(item)
  }
  return rows
}
