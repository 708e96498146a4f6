import type { Mesh } from '../../../mesh/mesh-types.ts'

/** `GET /health`: whether the helper runs and has a model to answer with. Says nothing private, wants no token. */
export function health(mesh: Mesh): () => Response {
  return () => Response.json({ status: 'ok', ready: mesh.models().some((model) => model.ready) })
}

/**
 * `GET /plexus.json`: where the peer behind this page is, so that a page served
 * by the helper finds it again after its ports changed. Admits nobody.
 */
export function whereabouts(mesh: Mesh): () => Response {
  return () => {
    const self = mesh.devices().find((device) => device.id === mesh.self)
    return Response.json({ peerId: mesh.self, addresses: mesh.addresses(), name: self?.name ?? '' })
  }
}

/** The same for the local network, without the name: strangers on it learn no more than that a helper is here. */
export function whereaboutsForNetwork(mesh: Mesh): () => Response {
  return () => Response.json({ peerId: mesh.self, addresses: mesh.addresses() })
}
