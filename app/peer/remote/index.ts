/**
 * The tabs of one profile share one peer: the tab that leads serves it, the others
 * call it. Promises that what is acknowledged was durable, that nothing crosses
 * unchecked, and that a tab whose term is over answers nobody. Must not know screens.
 */
export { createCaller, type Caller, type Leader } from './caller.ts'
export { createDesk, type Desk, type Place } from './desk.ts'
export { createHearing, type HeardAnswer, type Hearing } from './hearing.ts'
export { type Reply, type Request, type Told } from './messages.ts'
export { isMoved, movedError } from './moved.ts'
export { createServer, type Server } from './server.ts'
export { type AnyShape, type Shape, type Shared } from './shape.ts'
export { ANSWERING, CHATS, MESH } from './tables.ts'
export { createTeller, type Teller } from './teller.ts'
