/** Where a link leads, and the short form that is shown beside its words. */
export interface LinkTarget {
  readonly href: string
  readonly shown: string
}

const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:'])

/**
 * The target of a link in foreign text, or nothing when it is no absolute web or
 * mail address. The host is shown in its ASCII form, so that look-alike letters are seen.
 */
export function safeTarget(href: string): LinkTarget | undefined {
  let url: URL
  try {
    url = new URL(href)
  } catch {
    // a relative or broken address leads nowhere a person could judge
    return undefined
  }
  // a name and password before the host make a link look like another place
  if (!SCHEMES.has(url.protocol) || url.username !== '' || url.password !== '') return undefined
  return { href: url.href, shown: url.protocol === 'mailto:' ? url.pathname : url.host }
}
