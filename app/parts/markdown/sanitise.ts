import DOMPurify from 'dompurify'

// the second wall: the renderer already escapes what it did not make itself
const ALLOWED_TAGS = [
  'p',
  'br',
  'hr',
  'em',
  'strong',
  'del',
  'code',
  'pre',
  'blockquote',
  'ul',
  'ol',
  'li',
  'a',
  'span',
  'div',
  'h3',
  'h4',
  'h5',
  'h6',
  'table',
  'thead',
  'tbody',
  'tr',
  'th',
  'td',
]
const ALLOWED_ATTR = ['href', 'target', 'rel', 'class', 'tabindex', 'role', 'aria-label', 'scope', 'start']

/** HTML made of the few elements that prose needs, with links to web and mail only. */
export function sanitise(html: string): string {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
    // these hold no addresses; without this the rule above would take them away
    ADD_URI_SAFE_ATTR: ['target', 'rel', 'tabindex', 'aria-label', 'scope', 'start'],
  })
}
