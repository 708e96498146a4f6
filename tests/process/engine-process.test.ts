import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isMeshError, silentLogger, type ModelId } from '../../mesh/base/index.ts'
import { createLlamaHost, startEngineProcess, type HelperEngineHost } from '../../helper/engines/index.ts'
import { createModelLibrary, type ModelLibrary } from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { engineWorkerFile } from '../kit/engine-worker.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import { until } from '../kit/wait.ts'

let folder: string
let library: ModelLibrary
let host: HelperEngineHost
let model: ModelId
const pids: number[] = []
const parents: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-engine-'))
  await writeTinyGguf(join(folder, 'tiny.gguf'), { says: 'abcdefghij', contextTokens: 2_048 })
  library = await createModelLibrary({ dataDir: folder, clock: systemClock, log: silentLogger, offline: true })
  model = (await library.addFile(join(folder, 'tiny.gguf'))).id
  const workerFile = await engineWorkerFile()
  host = createLlamaHost({
    library,
    clock: systemClock,
    log: silentLogger,
    threads: 1,
    workerFile,
    gpu: false,
    startLink: (modelFile) => {
      const link = startEngineProcess({ workerFile, modelFile, dataDir: folder, log: silentLogger })
      if (link.pid !== undefined) pids.push(link.pid)
      return link
    },
  })
})
afterEach(async () => {
  await host.stop()
  await library.close()
  pids.length = 0
  for (const parent of parents.splice(0)) parent.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** True while it runs. A dead process that its new parent has not collected yet (a zombie) does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return true
    return !/\) [ZX] /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))
  } catch {
    // no such process: the only way this fails for a process of one's own
    return false
  }
}

async function ask(maxTokens: number, onText?: () => void): Promise<string> {
  let text = ''
  const request = {
    model,
    messages: [{ role: 'user' as const, content: 'hello' }],
    sampling: { maxTokens, temperature: 0 },
  }
  for await (const event of host.generate(request, { signal: AbortSignal.timeout(60_000) })) {
    if (event.type !== 'text') continue
    text += event.text
    onText?.()
  }
  return text
}

test('an engine killed in mid-answer fails that answer alone, and another is there for the next question', async () => {
  await host.start()
  const [first = 0] = pids
  const failure: unknown = await ask(1_900, () => {
    process.kill(first, 'SIGKILL')
  }).catch((error: unknown) => error)
  expect(isMeshError(failure, 'engine-lost')).toBe(true)
  expect(await ask(10)).toBe('abcdefghij')
  expect(pids).toHaveLength(2)
})

test('an engine killed while idle comes back by itself', async () => {
  await host.start()
  process.kill(pids[0] ?? 0, 'SIGKILL')
  await until(() => pids.length === 2 && host.models()[0]?.state === 'ready', {
    what: 'the engine to be back',
    timeoutMs: 20_000,
  })
})

test('stopping the host leaves no process', async () => {
  await host.start()
  await host.stop()
  await until(() => pids.every((pid) => !isAlive(pid)), { what: 'the engine process to be gone' })
})

test('a helper that is killed leaves no engine behind, not even in mid-answer', async () => {
  const workerFile = fileURLToPath(await engineWorkerFile())
  const script = `
    import { fork } from 'node:child_process'
    const child = fork(${JSON.stringify(workerFile)}, [], { execArgv: [] })
    child.on('message', (message) => {
      if (message.type === 'loaded') child.send({ type: 'generate', id: 1, messages: [{ role: 'user', content: 'go' }], sampling: { maxTokens: 1900 } })
      if (message.type === 'event' && message.event.type === 'text') console.log(child.pid)
    })
    child.send({ type: 'load', order: { file: ${JSON.stringify(join(folder, 'tiny.gguf'))}, threads: 1, contextTokens: 2048, sequences: 1, gpu: false } })
  `
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  parent.stdout.setEncoding('utf8')
  parent.stdout.on('data', (text: string) => {
    said += text
  })
  parents.push(parent)
  const pid = await until(() => said.includes('\n') && Number(said.split('\n')[0]), {
    what: 'the engine to write',
    timeoutMs: 30_000,
  })
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await until(() => !isAlive(pid), { what: 'the engine to end with its helper' })
})
