/**
 * Finding each other on the local network by multicast DNS (RFC 6762), while it is
 * open: the name `plexus.local` for browsers, and a tag that only devices of one mesh
 * recognise. Promises that nothing sent names a device, a person or a mesh, that a
 * stranger cannot tell one hour's tag from another's, and that what is found is only
 * ever an address of a device that was admitted before. Knows nothing of links.
 */
export { createBeacon, type Beacon, type BeaconPorts } from './beacon.ts'
export { createNameKeeper, LOCAL_NAME, type NameKeeper, type NamePorts } from './name.ts'
export { openMulticast, type Multicast, type Question, type Answer } from './multicast.ts'
