import type { LinkOpened } from '../../mesh/mesh-types.ts'

const JOIN = /^#join=/
/** What the helper says of a navigation, and its own mark in the address. See the helper's gateway/routes/page.ts. */
const TOLD = 'opened'

/**
 * Takes a joining link out of the address: it carries a secret, so it must not stay in
 * the history, in a bookmark or in a shared address. Undefined when there is none.
 */
export function takeJoinLink(page: Window): string | undefined {
  const { hash, pathname, search } = page.location
  if (!JOIN.test(hash)) return undefined
  const query = new URLSearchParams(search)
  query.delete(TOLD)
  const rest = query.size === 0 ? '' : `?${query.toString()}`
  page.history.replaceState(page.history.state, '', pathname + rest)
  return hash.slice(1)
}

/**
 * Who led to the page as it was opened. The browser tells the helper, which tells the page:
 * no site can forge that, and one that hides its name is told from a person all the same.
 * A host of files says nothing; then only a site that gives its name is known.
 */
export function howPageWasOpened(page: Window): LinkOpened {
  const { referrer } = page.document
  if (referrer !== '' && !referrer.startsWith(`${page.location.origin}/`)) return 'elsewhere'
  if (page.opener !== null) return 'elsewhere'
  const told = toldByHelper(page)
  if (told === 'none') return 'by-hand'
  if (told === 'same-origin') return 'unknown'
  if (told !== undefined) return 'elsewhere'
  // the page came from what is kept here, and whoever led to it was told to nobody
  return isKeptHere(page.navigator) ? 'elsewhere' : 'unknown'
}

/** True when a helper served the page as it was opened: not a host of files, and not what is kept here. */
export function cameFromHelper(page: Window): boolean {
  return toldByHelper(page) !== undefined
}

function toldByHelper(page: Window): string | undefined {
  const [navigation] = page.performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  return navigation?.serverTiming.find(({ name }) => name === TOLD)?.description
}

function isKeptHere(navigator: Navigator): boolean {
  // a page without protection has none
  return 'serviceWorker' in navigator && navigator.serviceWorker.controller !== null
}

/** Calls back with each joining link that is opened in this tab while it is open. */
export function watchJoinLinks(page: Window, listener: (link: string) => void): void {
  page.addEventListener('hashchange', () => {
    const link = takeJoinLink(page)
    if (link !== undefined) listener(link)
  })
}

/** Where a helper of this very machine would be that served this page: what a peer can dial. Undefined: it came from elsewhere. */
export function pageAddress({
  protocol,
  hostname,
  port,
}: Pick<Location, 'protocol' | 'hostname' | 'port'>): string | undefined {
  const isHere = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
  if (protocol !== 'http:' || !isHere) return undefined
  const host = hostname === '[::1]' ? '/ip6/::1' : `/ip4/${hostname === 'localhost' ? '127.0.0.1' : hostname}`
  return `${host}/tcp/${port === '' ? '80' : port}/ws`
}
