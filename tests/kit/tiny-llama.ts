import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, type ModelId } from '../../mesh/base/index.ts'
import { createLlamaHost, type HelperEngineHost } from '../../helper/engines/index.ts'
import { createModelLibrary } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { engineWorkerFile } from './engine-worker.ts'
import { writeTinyGguf, type TinyGgufOptions } from './gguf.ts'

/** The real engine with a tiny model made for it. */
export interface TinyLlama {
  readonly host: HelperEngineHost
  readonly model: ModelId
  stop(): Promise<void>
}

/** Starts llama.cpp, one thread, on a generated model; `stop` frees everything. */
export async function startTinyLlama(options: TinyGgufOptions): Promise<TinyLlama> {
  const dataDir = await mkdtemp(join(tmpdir(), 'plexus-engine-'))
  const file = join(dataDir, 'tiny.gguf')
  await writeTinyGguf(file, options)
  const library = await createModelLibrary({ dataDir, clock: systemClock, log: silentLogger, offline: true })
  const { id } = await library.addFile(file)
  const workerFile = await engineWorkerFile()
  const host = createLlamaHost({ library, clock: systemClock, log: silentLogger, threads: 1, workerFile, gpu: false })
  await host.start()
  return {
    host,
    model: id,
    async stop() {
      await host.stop()
      await library.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
