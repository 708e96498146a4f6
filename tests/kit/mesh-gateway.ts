import { createGatewayApp } from '../../helper/gateway/app.ts'
import { guardRules } from '../../helper/door/index.ts'
import { tokenCheck } from '../../helper/gateway/guard.ts'
import { createPageFiles } from '../../helper/gateway/page-files.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'

const PORT = 4_321
const TOKEN = 'token-of-the-test'

/** The gateway of a running peer without its socket, as a program on its machine asks it. */
export function gatewayOver(mesh: Mesh): (path: string, body?: object) => Promise<Response> {
  const rules = guardRules(PORT)
  const app = createGatewayApp({
    ...{ mesh, clock: systemClock, random: systemRandom, log: silentLogger, rules: () => rules },
    isToken: tokenCheck(TOKEN),
    files: createPageFiles('no-such-folder'),
  })
  const host = `127.0.0.1:${String(PORT)}`
  const headers = { host, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  return async (path, body) => {
    const posted = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return app.fetch(new Request(`http://${host}${path}`, { headers, ...posted }))
  }
}
