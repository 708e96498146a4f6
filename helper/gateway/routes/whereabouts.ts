import type { Mesh } from '../../../mesh/mesh-types.ts'
import type { Face } from '../face.ts'

/** `GET /health`: whether the helper runs and has a model to answer with. Says nothing private, wants no token. */
export function health(mesh: Mesh): () => Response {
  return () => Response.json({ status: 'ok', ready: mesh.models().some((model) => model.ready) })
}

/**
 * `GET /plexus.json`: where the peer behind this page is and where other devices open
 * the page best, so that a page served by the helper finds it again after its ports
 * changed and shows the right link. Admits nobody.
 */
export function whereabouts(mesh: Mesh, face: Face): () => Response {
  return () => {
    const self = mesh.devices().find((device) => device.id === mesh.self)
    const shared = face.isShared?.() === true ? { shared: true } : {}
    return Response.json({ ...describe(mesh, face), name: self?.name ?? '', ...shared })
  }
}

/** The same for the local network, without the name: strangers on it learn no more than that a helper is here. */
export function whereaboutsForNetwork(mesh: Mesh, face: Face): () => Response {
  return () => Response.json(describe(mesh, face))
}

function describe(mesh: Mesh, face: Face): object {
  return {
    peerId: mesh.self,
    addresses: mesh.addresses(),
    lan: face.isOpen(),
    page: face.pageElsewhere() ?? null,
    trust: face.trustPage() ?? null,
    guests: face.guests.areLetIn(),
  }
}
