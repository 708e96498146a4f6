import { join } from 'node:path'
import { loadConfig } from '../../helper/config/index.ts'
import { readCredential } from '../../helper/data-dir/index.ts'
import { startHelper, type RunningHelper } from '../../helper/helper.ts'
import { createPassphrases } from '../../helper/lock/index.ts'
import { createLocalClient, type LocalClient } from '../../helper/local/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import type { Logger } from '../../mesh/base/index.ts'

/** A whole helper in the test's own process, over a data directory: its real store, door and peer, and no model. */
export interface HelperHere extends Pick<RunningHelper, 'makeLink' | 'stop'> {
  readonly local: LocalClient
}

/** Starts one on free loopback ports. @throws MeshError what keeps it from starting */
export async function startHelperHere(dataDir: string, log: Logger): Promise<HelperHere> {
  const installDir = join(import.meta.dirname, '..', '..')
  const flags = { dataDir, port: '0', offline: true, name: 'helper here' }
  const loaded = await loadConfig({ env: {}, flags, installDir, threads: 1, currentDir: dataDir })
  const ending = new AbortController()
  const nothing = (): void => undefined
  const helper = await startHelper(loaded, {
    ...{ clock: systemClock, random: systemRandom, log, installDir, signal: ending.signal },
    passphrases: createPassphrases({ file: undefined, ask: undefined }),
    ...{ onServed: nothing, onModelProgress: nothing, requestStop: nothing, requestRestart: nothing },
  })
  const credential = await readCredential(dataDir)
  if (credential === undefined) throw new TypeError('the helper left no way to it')
  return {
    local: createLocalClient(credential),
    makeLink: helper.makeLink,
    stop: helper.stop,
  }
}
