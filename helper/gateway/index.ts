/**
 * The helper's HTTP face: an OpenAI-compatible API, events and health for this
 * machine, behind a token, and the built page, which the local network gets too
 * when it is open. It promises that nothing from outside its Host and Origin lists
 * comes in, that the network reaches the page and nothing else, and that a client
 * that goes frees its engine. It must not know how an answer is made: it talks to the `Mesh`
 * facade and to nothing else. See docs/gateway.md.
 */
export { type GatewayMount } from './app.ts'
export { type Face } from './face.ts'
export { EVENTS_PATH, EVENTS_PROTOCOL, type GatewayEvent } from './events.ts'
export { createGateway, type Gateway, type GatewayOptions, type ListenOptions, type ServingGateway } from './gateway.ts'
export { GATEWAY_LIMITS } from './limits.ts'
export { createOpenings, type Openings } from './openings.ts'
