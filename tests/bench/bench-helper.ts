import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngines, type HelperEngineHost } from '../../helper/engines/index.ts'
import { createModelLibrary } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { firstModelFile } from '../kit/first-model.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'

/** A helper to measure: its engine can be asked directly, and through the mesh. */
export interface BenchHelper {
  readonly engines: HelperEngineHost
  readonly peer: TestPeer
  /** A link that lets one more device in. */
  invite(): Promise<string>
  stop(): Promise<void>
}

/** Starts a peer with the real engine and the first model, one thread, in a data directory of its own. */
export async function startBenchHelper(): Promise<BenchHelper> {
  const dataDir = await mkdtemp(join(tmpdir(), 'plexus-bench-'))
  const library = await createModelLibrary({ dataDir, clock: systemClock, log: silentLogger, offline: true })
  await library.addFile(await firstModelFile())
  const workerFile = new URL('./llama-worker.js', import.meta.url)
  const engines = createEngines({ library, clock: systemClock, log: silentLogger, threads: 1, workerFile })
  await engines.start()
  const peer = await startPeer('Helper', { engines })
  return {
    engines,
    peer,
    invite: async () => (await peer.mesh.invite({ confirmation: 'in-advance' })).url,
    async stop() {
      await peer.stop()
      await engines.stop()
      await library.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
