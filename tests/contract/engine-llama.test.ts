import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../mesh/base/index.ts'
import { createEngineHost } from '../../helper/engines/index.ts'
import { createModelLibrary } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { engineWorkerFile } from '../kit/engine-worker.ts'
import { writeTinyGguf, type TinyGgufOptions } from '../kit/gguf.ts'
import { engineContract, type EngineUnderTest } from './engine.contract.ts'

async function llama(options: TinyGgufOptions): Promise<EngineUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'plexus-engine-'))
  const file = join(dataDir, 'tiny.gguf')
  await writeTinyGguf(file, options)
  const library = await createModelLibrary({ dataDir, clock: systemClock, log: silentLogger, offline: true })
  const { id } = await library.addFile(file)
  const workerFile = await engineWorkerFile()
  const host = createEngineHost({ library, clock: systemClock, log: silentLogger, threads: 1, workerFile, gpu: false })
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

engineContract('llama.cpp with a model whose characters take several tokens', () =>
  llama({ says: 'Say:€ 🌍,wolt! bcdefgh'.replace(' b', 'b') }),
)

engineContract('llama.cpp with random weights, a plain template and half precision', () =>
  llama({ seed: 11, weights: 'f16', chatTemplate: null }),
)
