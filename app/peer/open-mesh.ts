import type { Mesh } from '../../mesh/mesh-types.ts'
import type { OpenMesh } from './own-mesh.ts'

/**
 * Starts the mesh of this browser. The network part of the page is fetched here and
 * nowhere else, so that the shell is there before it.
 * @throws MeshError of `createMesh`.
 */
export const openMesh: OpenMesh = async (options): Promise<Mesh> => {
  const [{ createMesh }, { browserPreset }, { createWorkerDecoder }] = await Promise.all([
    import('../../mesh/mesh.ts'),
    import('../ports/browser-peer.ts'),
    import('../ports/worker-decoder.ts'),
  ])
  const { clock, random, store, log, deviceName, signal } = options
  const device = { name: deviceName, kind: 'browser' } as const
  const pageUrl = (): string => `${location.origin}${location.pathname}`
  const decoder = createWorkerDecoder({ clock, log })
  return createMesh({ clock, random, store, log, preset: browserPreset(), decoder, device, pageUrl }, { signal })
}
