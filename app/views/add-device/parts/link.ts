import type { InvitationView } from '../../../../mesh/mesh-types.ts'
import type { HelperPlace } from '../../../state/index.ts'

/** Where a link will be opened: in a browser of this computer, or on another device. */
export type LinkPlace = 'here' | 'elsewhere'

interface Here {
  readonly origin: string
  readonly pathname: string
}

/**
 * The whole link of an invitation for a place: this copy of the page, which reads the
 * same fragment, or for another device the best page its helper knows. Undefined: no
 * protected page is there, and a link that carries a secret leads to no other.
 */
export function linkOf(
  invitation: InvitationView,
  here: Here,
  place: LinkPlace = 'here',
  helper?: HelperPlace,
): string | undefined {
  if (onlyThisComputer(here.origin) && place === 'elsewhere') {
    return helper?.page === undefined ? undefined : `${helper.page}#${invitation.fragment}`
  }
  return invitation.url !== '' ? invitation.url : `${here.origin}${here.pathname}#${invitation.fragment}`
}

/** Where another device learns to trust the helper; undefined: the page it opens there needs no trust. */
export function trustFirst({ page, trust }: HelperPlace): string | undefined {
  if (page === undefined || trust === undefined) return undefined
  return new URL(page).host === new URL(trust).host ? trust : undefined
}

/** True when a link leads to the computer it is opened on: it is of no use on another device. */
export function onlyThisComputer(link: string): boolean {
  const host = URL.canParse(link) ? new URL(link).hostname : ''
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host)
}
