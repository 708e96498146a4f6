const JOIN = /^#join=/

/**
 * Takes a joining link out of the address: it carries a secret, so it must not stay in
 * the history, in a bookmark or in a shared address. Undefined when there is none.
 */
export function takeJoinLink(page: Window): string | undefined {
  const { hash, pathname, search } = page.location
  if (!JOIN.test(hash)) return undefined
  page.history.replaceState(page.history.state, '', pathname + search)
  return hash.slice(1)
}

/** Calls back with each joining link that is opened in this tab while it is open. */
export function watchJoinLinks(page: Window, listener: (link: string) => void): void {
  page.addEventListener('hashchange', () => {
    const link = takeJoinLink(page)
    if (link !== undefined) listener(link)
  })
}
