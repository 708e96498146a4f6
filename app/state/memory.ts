import type { Memory } from './preferences.svelte.ts'

const PREFIX = 'plexus.'

/** Preferences in this browser's local storage; where it is refused they last as long as the page. */
export function createBrowserMemory(window: Window): Memory {
  const held = new Map<string, string>()
  const storage = localStorageOf(window)
  return {
    read: (key) => held.get(key) ?? storage?.getItem(PREFIX + key) ?? undefined,
    write(key, value) {
      if (value === undefined) held.delete(key)
      else held.set(key, value)
      try {
        if (value === undefined) storage?.removeItem(PREFIX + key)
        else storage?.setItem(PREFIX + key, value)
      } catch (error) {
        // a full storage costs a preference, not the page
        console.info('a preference lasts only as long as this page', error)
      }
    },
  }
}

/** Preferences that last as long as the page: a guest leaves nothing behind. */
export function createPageMemory(): Memory {
  const held = new Map<string, string>()
  return {
    read: (key) => held.get(key),
    write(key, value) {
      if (value === undefined) held.delete(key)
      else held.set(key, value)
    },
  }
}

/** The local storage, where the browser lets a page have one. */
export function localStorageOf(window: Window): Storage | undefined {
  try {
    return window.localStorage
  } catch (error) {
    console.info('this browser keeps no preferences', error)
    return undefined
  }
}
