import { MeshError, type DeviceId } from './base/index.ts'
import { isDeviceId, parseInvitation, type InvitationLink } from './identity/index.ts'
import type { Door } from './mesh-types.ts'

/** The addresses of a link by device: those without a device in them are the inviter's. */
export function doorsOf(link: InvitationLink): Door[] {
  const byDevice = new Map<DeviceId, string[]>([[link.inviter, []]])
  for (const address of link.addresses) {
    const device = deviceOf(address) ?? link.inviter
    byDevice.set(device, [...(byDevice.get(device) ?? []), address])
  }
  return [...byDevice].flatMap(([device, addresses]) => (addresses.length === 0 ? [] : [{ device, addresses }]))
}

/**
 * The doors a person names: an address with its device in it, or any link of the mesh,
 * also one that was used or has run out: it still says where its devices are.
 * @throws MeshError `usage`
 */
export function doorsAt(place: string): Door[] {
  const typed = place.trim()
  const device = typed.startsWith('/') ? deviceOf(typed) : undefined
  if (device !== undefined && isDeviceId(device)) return [{ device, addresses: [typed] }]
  if (typed.includes('join=')) return doorsOf(parseInvitation(typed))
  const sentence = 'This is no place of a device. Give its address (it begins with / and has /p2p/ in it), or a link.'
  throw new MeshError('usage', sentence)
}

function deviceOf(address: string): DeviceId | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1] as DeviceId | undefined
}
