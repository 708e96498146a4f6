import * as z from 'zod'
import type { DeviceView } from '../../../mesh/mesh-types.ts'
import { findDevice, findDeviceOrPerson } from '../find-named.ts'
import { operation } from '../operation.ts'

/** A device as scripts see it. */
export type DeviceLine = Pick<DeviceView, 'id' | 'name' | 'role' | 'state' | 'path' | 'rttMs'>

/** What scripts get of a device. */
export function describeDevice(device: DeviceView): DeviceLine {
  const { id, name, role, state, path, rttMs } = device
  return { id, name, role, state, path, rttMs }
}

const deviceText = z.string().min(1).max(200)

/** Every device of the mesh, this one first. */
export const devices = operation<Record<string, never>, never, DeviceLine[]>({
  name: 'devices',
  input: z.strictObject({}),
  run: (_input, { host }) => Promise.resolve(host.mesh.devices().map(describeDevice)),
})

/** Cuts a device off for good, or a person with all devices. `removed` is the id of either. */
export const remove = operation<{ device: string }, never, { removed: string; name: string; devices: number }>({
  name: 'remove',
  input: z.object({ device: deviceText }),
  async run(input, { host, signal }) {
    const found = findDeviceOrPerson(host.mesh.devices(), host.mesh.people(), input.device)
    if (found.kind === 'person') {
      const { id, name, devices: owned } = found.person
      await host.mesh.removePerson(id, { signal })
      return { removed: id, name, devices: owned.length }
    }
    await host.mesh.remove(found.device.id, { signal })
    return { removed: found.device.id, name: found.device.name, devices: 1 }
  },
})

/** Gives a device another name. */
export const renameDevice = operation<{ device: string; name: string }, never, { id: string; name: string }>({
  name: 'rename',
  input: z.object({ device: deviceText, name: z.string().trim().min(1).max(60) }),
  async run(input, { host, signal }) {
    const device = findDevice(host.mesh.devices(), input.device)
    await host.mesh.rename(device.id, input.name, { signal })
    return { id: device.id, name: input.name }
  },
})
