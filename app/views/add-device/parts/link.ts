import type { InvitationView } from '../../../../mesh/mesh-types.ts'

/** The whole link of an invitation: the helper's own page, else this copy of it, which reads the same fragment. */
export function linkOf(
  invitation: InvitationView,
  here: { readonly origin: string; readonly pathname: string },
): string {
  return invitation.url !== '' ? invitation.url : `${here.origin}${here.pathname}#${invitation.fragment}`
}

/** True when a link leads to the computer it is opened on: it is of no use on another device. */
export function onlyThisComputer(link: string): boolean {
  const host = URL.canParse(link) ? new URL(link).hostname : ''
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host)
}
