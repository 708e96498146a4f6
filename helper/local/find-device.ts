import { MeshError } from '../../mesh/base/index.ts'
import type { DeviceView } from '../../mesh/mesh-types.ts'

/**
 * The one device a person means: its id, its name, or the beginning of either.
 * @throws MeshError `device-unknown` when none or several fit; the sentence says which.
 */
export function findDevice(devices: readonly DeviceView[], text: string): DeviceView {
  const wanted = text.trim()
  const exact = devices.find((device) => device.id === wanted)
  if (exact !== undefined) return exact
  if (wanted === '') throw new MeshError('device-unknown', 'No device was named.')

  const lower = wanted.toLowerCase()
  const tries: ((device: DeviceView) => boolean)[] = [
    (device) => device.name === wanted,
    (device) => device.name.toLowerCase() === lower,
    (device) => device.id.startsWith(wanted) || device.name.toLowerCase().startsWith(lower),
  ]
  for (const fits of tries) {
    const found = devices.filter(fits)
    if (found.length === 1 && found[0] !== undefined) return found[0]
    if (found.length > 1) {
      const names = found.map((device) => `${device.name} (${device.id})`).join(', ')
      throw new MeshError('device-unknown', `"${wanted}" fits several devices: ${names}. Use the id.`)
    }
  }
  throw new MeshError(
    'device-unknown',
    `No device of this mesh is called "${wanted.slice(0, 80)}". "plexus devices" shows them.`,
  )
}
