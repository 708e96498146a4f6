/**
 * STUN for the devices of this mesh (RFC 8489, binding requests alone), so that two
 * browsers on a network that blocks multicast learn addresses under which they reach
 * each other. Promises answers no larger than twice the question, to the sender alone,
 * to the local network alone, and to nobody too often. Knows nothing of devices.
 */
export { answerTo } from './message.ts'
export { openStun, STUN_LIMITS, type Stun, type StunOptions } from './server.ts'
