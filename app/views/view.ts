import type { Component } from 'svelte'
import type { MessageKey } from '../i18n/index.ts'

/** Names of the places one can go to. */
export type ViewId = 'chat' | 'rooms' | 'devices' | 'add' | 'security' | 'settings'

/** One place: everything that navigation and router need to know of it. */
export interface ViewDescriptor {
  readonly id: ViewId
  readonly title: MessageKey
  readonly icon: Component<{ class?: string }>
  /** Which group of the rail it stands in. */
  readonly group: 'talk' | 'mesh' | 'self'
  /** True: also a place of guests, on a page that came without protection. */
  readonly forGuests?: true
  /** Loads the screen; its bytes come when it is first opened. */
  readonly load: () => Promise<{ default: Component }>
}
