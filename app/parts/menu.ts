import type { Component } from 'svelte'

/** One line of a menu. */
export interface MenuItem {
  readonly label: string
  readonly onselect: () => void
  readonly note?: string | undefined
  readonly icon?: Component<{ class?: string }> | undefined
  /** Present: one of a choice, and whether it is the one. */
  readonly checked?: boolean | undefined
  readonly disabled?: boolean | undefined
  readonly danger?: boolean | undefined
  /** Words above this line, where a new group begins. */
  readonly heading?: string | undefined
}
