/**
 * The decision which device answers. Pure: it is given devices and a request and
 * returns a route with every score and refusal; it never touches the network.
 */
export { decideRoute, type RoutableDevice } from './decide.ts'
export {
  ASK_ERROR_CODES,
  type AskEvent,
  type AskPhase,
  type AskRequest,
  type Forbidden,
  type Path,
  type Route,
  type RouteCandidate,
  type RouteReason,
  type RouteRefusal,
  type RouteScore,
} from './route.ts'
