/** How long an invitation is open unless said otherwise: 10 minutes. */
export const INVITATION_LIFETIME_MS = 10 * 60_000
/** Longest lifetime one may ask for: one day. */
export const INVITATION_MAX_LIFETIME_MS = 24 * 60 * 60_000
/** Most invitations of one mesh that are open at once. */
export const INVITATIONS_MAX_OPEN = 64
