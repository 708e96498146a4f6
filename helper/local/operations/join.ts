import * as z from 'zod'
import type { JoinProgress } from '../../../mesh/mesh-types.ts'
import { describeDevice, type DeviceLine } from './devices.ts'
import { operation } from '../operation.ts'

/** Joins the mesh a link invites to; the result is the device that invited. */
export const join = operation<{ url: string }, JoinProgress, { admitted: true; device: DeviceLine }>({
  name: 'join',
  input: z.object({ url: z.string().trim().min(1).max(4096) }),
  async run(input, { host, signal, emit }) {
    const device = await host.mesh.join(input.url, { signal, onProgress: emit, opened: 'by-hand' })
    return { admitted: true, device: describeDevice(device) }
  },
})
