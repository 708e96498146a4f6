import { createGateway, type GatewayMount, type ServingGateway } from '../../helper/gateway/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger, type Clock } from '../../mesh/base/index.ts'
import { createFakeMesh, type FakeMesh } from './fake-mesh.ts'
import { TEST_TOKEN } from './gateway.ts'

/** A gateway on a real port, over a fake mesh. */
export interface GatewayServer extends ServingGateway {
  readonly mesh: FakeMesh
  readonly token: string
}

/** Starts a gateway on a free port. */
export async function startGatewayServer(
  options: { mesh?: FakeMesh; clock?: Clock; mounts?: readonly GatewayMount[]; pageDir?: string } = {},
): Promise<GatewayServer> {
  const mesh = options.mesh ?? createFakeMesh()
  const gateway = await createGateway({
    mesh,
    clock: options.clock ?? systemClock,
    random: systemRandom,
    log: silentLogger,
    token: TEST_TOKEN,
    pageDir: options.pageDir ?? 'no-such-folder',
    ...(options.mounts === undefined ? {} : { mounts: options.mounts }),
  }).listen({ port: 0 })
  return { ...gateway, mesh, token: TEST_TOKEN }
}
