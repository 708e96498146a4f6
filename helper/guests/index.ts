/**
 * Guests: who opened the page over plain HTTP, asks, and is gone with the page.
 * Promises that a pass is worth no more than asking a person, that few are open at
 * once, and that who is gone loses its place. Knows nothing of requests and networks.
 */
export { createGuests, GUEST_GONE_MS, PASSES_IN_VAIN_MAX, PASSES_MAX, type Guests, type GuestsPorts } from './guests.ts'
